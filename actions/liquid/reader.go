package liquid

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// reader reads expressions from a range of a template's source, by LiquidJS's
// grammar, which is lenient in places: what a value could be read from is one.
type reader struct {
	source  string
	at, end int
	depth   int // of values inside of values
	*vocabulary
}

// maxNesting bounds how deep values, and blocks, may nest.
const maxNesting = 100

// isBlank tells what LiquidJS takes as white space.
func isBlank(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\v', '\f', '\r', 0xA0, 0x1680, 0x180E, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// isWord tells what LiquidJS takes as part of a name: ASCII letters, digits,
// "_", "-", "?", and all of Unicode but its white space and curly quotes.
func isWord(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '?':
		return true
	case r < utf8.RuneSelf:
		return false
	}
	return !isBlank(r) && r != 0x201C && r != 0x201D
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (r *reader) fail(format string, args ...any) error {
	return errorAt(r.source, r.at, format, args...)
}

// rest is what is still to be read, shortened, for an error.
func (r *reader) rest() string {
	s := shown(r.source[min(r.at, r.end):r.end])
	if utf8.RuneCountInString(s) > 32 {
		s = string([]rune(s)[:29]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

func (r *reader) done() bool { return r.at >= r.end }

// peek is the n-th byte ahead, or 0.
func (r *reader) peek(n int) byte {
	if r.at+n >= r.end {
		return 0
	}
	return r.source[r.at+n]
}

// rune is the character at a place, and its size: 0 at the end. A hole is none
// that is blank or part of a name.
func (r *reader) rune(at int) (rune, int) {
	if at >= r.end {
		return 0, 0
	}
	if r.source[at] == hole {
		return -1, 1
	}
	return utf8.DecodeRuneInString(r.source[at:r.end])
}

func (r *reader) blanks() {
	for {
		c, size := r.rune(r.at)
		if size == 0 || !isBlank(c) {
			return
		}
		r.at += size
	}
}

// identifier reads a name, which may be empty.
func (r *reader) identifier() string {
	r.blanks()
	start := r.at
	for {
		c, size := r.rune(r.at)
		if size == 0 || !isWord(c) {
			return r.source[start:r.at]
		}
		r.at += size
	}
}

func (r *reader) tagName() string {
	r.blanks()
	if r.peek(0) == '#' {
		r.at++
		return "#"
	}
	return r.identifier()
}

// skipTo moves behind the next s, or to the end.
func (r *reader) skipTo(s string) bool {
	if r.done() {
		return false
	}
	if i := strings.Index(r.source[r.at:r.end], s); i >= 0 {
		r.at += i + len(s)
		return true
	}
	r.at = r.end
	return false
}

// word reads one of the words, those of letters only at their boundary.
func (r *reader) word(words ...string) (string, bool) {
	r.blanks()
	found := ""
	for _, w := range words {
		if len(w) > len(found) && strings.HasPrefix(r.source[min(r.at, r.end):r.end], w) {
			found = w
		}
	}
	if found == "" {
		return "", false
	}
	if last := rune(found[len(found)-1]); isWord(last) {
		if next, size := r.rune(r.at + len(found)); size > 0 && isWord(next) {
			return "", false
		}
	}
	r.at += len(found)
	return found, true
}
