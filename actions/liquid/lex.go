package liquid

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// token is a piece of a template.
type token struct {
	kind tokenKind
	name string // of a tag
	pos  int    // where it starts in the source
	// What it holds, a range of the source: the text to print, trimmed as
	// its neighbours demand; an output's expression; a tag's arguments.
	begin, end          int
	trimLeft, trimRight bool
}

type tokenKind uint8

const (
	textToken tokenKind = iota + 1
	outputToken
	tagToken
)

// lexer cuts a template into tokens.
type lexer struct {
	source string
	at     int
	tokens []token
}

// lex cuts source into tokens. Comments are gone and raw blocks are text.
func lex(source string) ([]token, error) {
	l := lexer{source: source}
	for l.at < len(source) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	l.trim()
	return l.withoutComments()
}

func (l *lexer) next() error {
	rest := l.source[l.at:]
	switch {
	case strings.HasPrefix(rest, "{%"):
		return l.tag()
	case strings.HasPrefix(rest, "{{"):
		return l.output()
	}
	end := len(rest)
	if i := strings.Index(rest, "{%"); i >= 0 {
		end = i
	}
	if i := strings.Index(rest[:end], "{{"); i >= 0 {
		end = i
	}
	l.tokens = append(l.tokens, token{kind: textToken, pos: l.at, begin: l.at, end: l.at + end})
	l.at += end
	return nil
}

// delimited is the token from l.at up to end, delimiters of two bytes on both
// sides; l.at moves behind it.
func (l *lexer) delimited(kind tokenKind, end int) token {
	t := token{kind: kind, pos: l.at, begin: l.at + 2, end: end - 2}
	l.at = end
	content := l.source[t.begin:max(t.begin, t.end)]
	if strings.HasPrefix(content, "-") {
		t.trimLeft = true
		t.begin++
	}
	if strings.HasSuffix(content, "-") {
		t.trimRight = true
		t.end--
	}
	t.end = max(t.begin, t.end)
	content = l.source[t.begin:t.end]
	t.begin = t.end - len(strings.TrimLeftFunc(content, isBlank))
	t.end = t.begin + len(strings.TrimRightFunc(l.source[t.begin:t.end], isBlank))
	return t
}

func (l *lexer) tag() error {
	start := l.at
	// LiquidJS looks for the end from the first "}" it could be at, which
	// {%} is one of.
	i := strings.Index(l.source[start+1:], "%}")
	if i < 0 {
		return l.fail(start, "tag %s is not closed with %%}", l.snippet(start))
	}
	t := l.delimited(tagToken, start+1+i+2)
	r := reader{source: l.source, at: t.begin, end: t.end}
	t.name = r.tagName()
	if t.name == "" {
		return l.fail(start, "tag without a name")
	}
	r.blanks()
	t.begin = min(r.at, t.end)
	l.tokens = append(l.tokens, t)
	switch t.name {
	case "raw":
		return l.raw(start)
	case "endraw":
		return l.fail(start, "endraw without raw")
	}
	return nil
}

// raw takes everything up to {% endraw %} as text.
func (l *lexer) raw(start int) error {
	for from := l.at; ; {
		i := strings.Index(l.source[from:], "{%")
		if i < 0 {
			return l.fail(start, "raw is not closed with {%% endraw %%}")
		}
		open := from + i
		from = open + 2
		r := reader{source: l.source, at: from, end: len(l.source)}
		if r.identifier() != "endraw" { // nor is {%- endraw, to LiquidJS
			continue
		}
		end := strings.Index(l.source[r.at:], "%}")
		if end < 0 {
			return l.fail(start, "raw is not closed with {%% endraw %%}")
		}
		if open > l.at {
			l.tokens = append(l.tokens, token{kind: textToken, pos: l.at, begin: l.at, end: open})
		}
		l.at = open
		t := l.delimited(tagToken, r.at+end+2)
		t.name = "endraw"
		r.end = t.end
		r.blanks()
		t.begin = min(r.at, t.end)
		l.tokens = append(l.tokens, t)
		return bare(l.source, t)
	}
}

func (l *lexer) output() error {
	start := l.at
	r := reader{source: l.source, at: start, end: len(l.source)}
	for r.at < r.end {
		if c := l.source[r.at]; c == '"' || c == '\'' {
			r.quoted()
			continue
		}
		r.at++
		if r.at >= start+3 && l.source[r.at-2:r.at] == "}}" {
			l.tokens = append(l.tokens, l.delimited(outputToken, r.at))
			return nil
		}
	}
	return l.fail(start, "output %s is not closed with }}", l.snippet(start))
}

// trim takes white space from the text beside tokens that ask for it. Inside
// of raw, only the outer sides count.
func (l *lexer) trim() {
	raw := false
	for i := range l.tokens {
		t := &l.tokens[i]
		if t.kind == textToken {
			continue
		}
		if t.trimLeft && !raw && i > 0 {
			if left := &l.tokens[i-1]; left.kind == textToken {
				left.end = left.begin + len(strings.TrimRightFunc(l.source[left.begin:left.end], isBlank))
			}
		}
		switch t.name {
		case "raw":
			raw = true
		case "endraw":
			raw = false
		}
		if t.trimRight && !raw && i+1 < len(l.tokens) {
			if right := &l.tokens[i+1]; right.kind == textToken {
				right.begin = right.end - len(strings.TrimLeftFunc(l.source[right.begin:right.end], isBlank))
			}
		}
	}
}

// withoutComments drops comments, the tags around raw text, and empty text.
func (l *lexer) withoutComments() ([]token, error) {
	kept := l.tokens[:0]
	for i := 0; i < len(l.tokens); i++ {
		switch t := l.tokens[i]; {
		case t.name == "raw" || t.name == "endraw":
			// The text between them is a token of its own.
		case t.name == "comment":
			end := i + 1
			for end < len(l.tokens) && l.tokens[end].name != "endcomment" {
				end++
			}
			if end == len(l.tokens) {
				return nil, l.fail(t.pos, "comment is not closed with {%% endcomment %%}")
			}
			if err := bare(l.source, l.tokens[end]); err != nil {
				return nil, err
			}
			i = end
		case t.name == "#":
			_, more, _ := strings.Cut(l.source[t.begin:t.end], "\n")
			for line := range strings.Lines(more) {
				if line = strings.TrimLeftFunc(line, isBlank); line != "" && !strings.HasPrefix(line, "#") {
					return nil, l.fail(t.pos, "every line of an inline comment must start with #")
				}
			}
		case t.kind == textToken && t.begin >= t.end:
		default:
			kept = append(kept, t)
		}
	}
	return kept, nil
}

func (l *lexer) fail(pos int, format string, args ...any) error {
	return errorAt(l.source, pos, format, args...)
}

// snippet is the start of what is at pos, for an error.
func (l *lexer) snippet(pos int) string {
	s := shown(l.source[pos:])
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i]
	}
	if utf8.RuneCountInString(s) > 32 {
		s = string([]rune(s)[:29]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// errorAt is an Error with the place of a byte of the source.
func errorAt(source string, pos int, format string, args ...any) *Error {
	before := source[:min(pos, len(source))]
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[start:]) + 1,
		Message: fmt.Sprintf(format, args...),
	}
}
