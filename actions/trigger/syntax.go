package trigger

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says what is wrong with an expression and where.
type SyntaxError struct {
	Expr    string
	Offset  int // in bytes
	Message string
}

// Error shows the line of the expression with a caret under the place.
// Columns are counted in characters, not bytes.
func (e *SyntaxError) Error() string {
	before, after := e.Expr[:e.Offset], e.Expr[e.Offset:]
	line := strings.Count(before, "\n")
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	after, _, _ = strings.Cut(after, "\n")
	column := utf8.RuneCountInString(before)

	place := fmt.Sprintf("column %d", column+1)
	if strings.Contains(e.Expr, "\n") {
		place = fmt.Sprintf("line %d, %s", line+1, place)
	}
	// A tab must stay as wide above the caret as below.
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return '\t'
		}
		return ' '
	}, before)
	if cut := column - 60; cut > 0 {
		before, indent = "..."+skipRunes(before, cut), "   "+skipRunes(indent, cut)
	}
	if utf8.RuneCountInString(after) > 60 {
		after = after[:len(after)-len(skipRunes(after, 60))] + "..."
	}
	return fmt.Sprintf("trigger, %s: %s\n  %s%s\n  %s^", place, e.Message, before, strings.TrimRight(after, "\r"), indent)
}

func skipRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[i:]
		}
		n--
	}
	return ""
}
