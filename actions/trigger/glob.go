package trigger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// glob is a compiled pattern of match(): "*" stands for any characters, "?"
// for one character, "[abc]" and "[a-z]" for one of those listed, a backslash
// takes the meaning from what follows it.
//
// The texts between stars are looked for from left to right and never
// again, so that the time is bounded by the value's length times the
// pattern's, whatever the two are.
type glob struct {
	parts []globPart // what lies between the stars; one without any star
}

// globPart is a text with places for one character of several.
type globPart struct {
	literal string  // when it has no such place
	runes   []class // when it has
}

// class is the characters that can stand in a place.
type class []runeRange

type runeRange struct{ low, high rune }

func (c class) has(r rune) bool {
	for _, in := range c {
		if in.low <= r && r <= in.high {
			return true
		}
	}
	return false
}

// newGlob compiles a pattern. Its error says what is wrong with it.
func newGlob(pattern string) (glob, error) {
	var (
		g       glob
		runes   []class
		literal strings.Builder
		places  bool
	)
	flush := func() {
		part := globPart{literal: literal.String()}
		if places {
			part = globPart{runes: runes}
		}
		g.parts = append(g.parts, part)
		runes, places = nil, false
		literal.Reset()
	}
	char := func(r rune) {
		runes = append(runes, class{{r, r}})
		literal.WriteRune(r)
	}
	for rest := []rune(pattern); len(rest) > 0; {
		r := rest[0]
		rest = rest[1:]
		switch {
		case r == '\\' && len(rest) > 0: // a last one has nothing to escape
			char(rest[0])
			rest = rest[1:]
		case r == '*':
			flush()
		case r == '?':
			runes, places = append(runes, class{{0, unicode.MaxRune}}), true
		case r == '[':
			c, size, err := newClass(rest)
			if err != nil {
				return glob{}, err
			}
			runes, places = append(runes, c), true
			rest = rest[size:]
		default:
			char(r)
		}
	}
	flush()
	return g, nil
}

// newClass reads a class from behind its opening bracket to its closing one.
func newClass(pattern []rune) (c class, size int, err error) {
	if len(pattern) > 0 && (pattern[0] == '^' || pattern[0] == '!') {
		return nil, 0, fmt.Errorf(`a class can't be negated: %c behind [ is written \%c`, pattern[0], pattern[0])
	}
	take := func() (r rune) {
		if pattern[size] == '\\' && size+1 < len(pattern) {
			size++
		}
		r = pattern[size]
		size++
		return r
	}
	for size < len(pattern) {
		if pattern[size] == ']' {
			if size == 0 {
				return nil, 0, errors.New(`the class [] is empty; an ordinary bracket is written \[`)
			}
			return c, size + 1, nil
		}
		low := take()
		high := low
		if size+1 < len(pattern) && pattern[size] == '-' && pattern[size+1] != ']' {
			size++
			high = take()
		}
		if high < low {
			return nil, 0, fmt.Errorf("the range %c-%c is empty", low, high)
		}
		c = append(c, runeRange{low, high})
	}
	return nil, 0, errors.New(`the class isn't closed with ]; an ordinary bracket is written \[`)
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
		if !want.has(r) {
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
	for _, wanted := range slices.Backward(p.runes) {
		if s == "" {
			return false
		}
		r, size := utf8.DecodeLastRuneInString(s)
		if !wanted.has(r) {
			return false
		}
		s = s[:len(s)-size]
	}
	return true
}
