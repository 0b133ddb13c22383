package liquid

import (
	"fmt"

	"engage-worker/internal/nearest"
)

// Error is a fault of a template, found when compiling or rendering it. It
// holds text of the template but none of the variables.
type Error struct {
	Line, Column int // both from 1; the column counts characters
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("Liquid, line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// signal is a break or a continue on its way out of a loop.
type signal uint8

const (
	breakLoop signal = iota + 1
	continueLoop
)

func (s signal) Error() string { return "break or continue outside of a loop" }

// usualFilters and usualTags are what messages are written with, and what a
// name that there isn't may have been meant for.
var (
	usualFilters = []string{"append", "capitalize", "ceil", "date", "default", "divided_by", "downcase", "escape", "first", "floor", "join", "last", "minus",
		"plus", "prepend", "remove", "replace", "round", "size", "slice", "split", "strip", "times", "truncate", "upcase", "url_encode"}
	usualTags = []string{"assign", "capture", "case", "else", "elsif", "endcase", "endfor", "endif", "endunless", "for", "if", "unless", "when"}
)

// meant asks whether a name near to the one that there isn't was meant.
func meant(name string, names []string) string {
	if best, ok := nearest.Name(name, names); ok {
		return "; did you mean " + best + "?"
	}
	return ""
}
