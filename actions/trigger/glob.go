package trigger

import (
	"strings"
	"unicode/utf8"
)

// glob is a compiled pattern of match(): "*" stands for any characters, "?"
// for one character, a backslash takes the meaning from what follows it.
//
// The texts between stars are looked for from left to right and never
// again, so that the time is bounded by the value's length times the
// pattern's, whatever the two are.
type glob struct {
	parts []globPart // what lies between the stars; one without any star
}

// globPart is a text with places for any one character.
type globPart struct {
	literal string // when it has no "?"
	runes   []rune // when it has, with anyRune for it
}

const anyRune = -1

func newGlob(pattern string) glob {
	var (
		g     glob
		runes []rune
		any   bool
	)
	flush := func() {
		part := globPart{literal: string(runes)}
		if any {
			part = globPart{runes: runes}
		}
		g.parts = append(g.parts, part)
		runes, any = nil, false
	}
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			runes, escaped = append(runes, r), false
		case r == '\\':
			escaped = true
		case r == '*':
			flush()
		case r == '?':
			runes, any = append(runes, anyRune), true
		default:
			runes = append(runes, r)
		}
	}
	if escaped { // a last backslash has nothing to escape
		runes = append(runes, '\\')
	}
	flush()
	return g
}

// match reports whether the pattern matches all of s.
func (g glob) match(s string) bool {
	first, rest := g.parts[0], g.parts[1:]
	end, ok := first.prefix(s)
	if !ok {
		return false
	}
	if len(rest) == 0 {
		return end == len(s)
	}
	s = s[end:]
	for _, part := range rest[:len(rest)-1] {
		if s, ok = part.cut(s); !ok {
			return false
		}
	}
	return rest[len(rest)-1].suffix(s)
}

// prefix returns the length of the part at the start of s.
func (p globPart) prefix(s string) (end int, ok bool) {
	if p.runes == nil {
		return len(p.literal), strings.HasPrefix(s, p.literal)
	}
	for _, want := range p.runes {
		if end >= len(s) {
			return 0, false
		}
		r, size := utf8.DecodeRuneInString(s[end:])
		if want != anyRune && want != r {
			return 0, false
		}
		end += size
	}
	return end, true
}

// cut returns what follows the first place of the part in s.
func (p globPart) cut(s string) (rest string, ok bool) {
	if p.runes == nil {
		i := strings.Index(s, p.literal)
		if i < 0 {
			return "", false
		}
		return s[i+len(p.literal):], true
	}
	for start := range s {
		if end, ok := p.prefix(s[start:]); ok {
			return s[start+end:], true
		}
	}
	return "", false
}

// suffix reports whether the part ends s.
func (p globPart) suffix(s string) bool {
	if p.runes == nil {
		return strings.HasSuffix(s, p.literal)
	}
	for i := len(p.runes) - 1; i >= 0; i-- {
		if s == "" {
			return false
		}
		r, size := utf8.DecodeLastRuneInString(s)
		if p.runes[i] != anyRune && p.runes[i] != r {
			return false
		}
		s = s[:len(s)-size]
	}
	return true
}
