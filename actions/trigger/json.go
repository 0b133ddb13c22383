package trigger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// maxDepth is how deep values may nest: encoding/json's limit, so that what
// passes here can be decoded.
const maxDepth = 10_000

// The scanning functions below take the offset of the first byte of what
// they read and return the offset after it, or ^o (which is negative) when
// the byte at o can't be there. They accept exactly RFC 8259's grammar, but
// for strings that aren't UTF-8: those are taken with U+FFFD for what is
// wrong, as encoding/json and JSON.parse of a decoded buffer take them.

// skipSpace returns the offset of the first byte at or after i that isn't
// white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scanValue reads any value, with white space before it. depth is that of
// what it lies in.
func scanValue(b []byte, i, depth int) int {
	if i = skipSpace(b, i); i >= len(b) {
		return ^i
	}
	switch c := b[i]; c {
	case '"':
		return scanString(b, i)
	case '{', '[':
		return scanNested(b, i, depth, nil)
	default:
		return scanScalar(b, i)
	}
}

func scanScalar(b []byte, i int) int {
	switch b[i] {
	case 't':
		return scanWord(b, i, "true")
	case 'f':
		return scanWord(b, i, "false")
	case 'n':
		return scanWord(b, i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return scanNumber(b, i)
	default:
		return ^i
	}
}

// scanNested reads the object or array that opens at b[i], and notes the members
// of that object itself in e, if there is one. It is where the time goes, for it
// runs over nearly every byte of the topic: so it keeps what is open in the bits
// of a word, and calls itself only when they are used up.
//
//nolint:funlen // one loop, as a call for each byte would cost more than it does
func scanNested(b []byte, i, depth int, e *Event) int {
	var (
		objects uint64 // the lowest bit: whether the innermost is an object
		level   int    // how many are open
		start   int    // of the string at hand
		known   marks
		field   member // of the outermost
	)
open:
	if depth+level >= maxDepth {
		return ^i
	}
	if level == 64 {
		if i = scanNested(b, i, depth+level, nil); i < 0 {
			return i
		}
		goto next
	}
	level++
	objects <<= 1
	if b[i] == '{' {
		objects |= 1
		if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
			goto closed
		}
		goto key
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
		goto closed
	}
	goto value

key:
	if i >= len(b) || b[i] != '"' {
		return ^i
	}
	start = i + 1
	if i = known.next(start); i < 0 || b[i] != '"' {
		if i, known = findQuote(b, start, known); i < 0 {
			return i
		}
	}
	if level == 1 {
		field.key = b[start:i]
	}
	i++
	if i >= len(b) || b[i] != ':' {
		if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
			return ^i
		}
	}
	if i = skipSpace(b, i+1); level == 1 {
		field.value = i
	}

value:
	if i >= len(b) {
		return ^i
	}
	switch b[i] {
	case '"':
		start = i + 1
		if i = known.next(start); i < 0 || b[i] != '"' {
			if i, known = findQuote(b, start, known); i < 0 {
				return i
			}
		}
		i++
	case '{', '[':
		goto open
	default:
		i = scanScalar(b, i)
	}
	if i < 0 {
		return i
	}

next:
	if level == 1 && e != nil {
		e.note(field.key, field.value, i)
	}
	if i = skipSpace(b, i); i >= len(b) {
		return ^i
	}
	switch {
	case b[i] == ',':
		i = skipSpace(b, i+1)
		if objects&1 != 0 {
			goto key
		}
		goto value
	case b[i] != '}' && b[i] != ']', (b[i] == '}') != (objects&1 != 0):
		return ^i
	}

closed:
	i++
	level--
	objects >>= 1
	if level == 0 {
		return i
	}
	goto next
}

// member is a key of an object and the place of its value.
type member struct {
	key   []byte // as written, without its quotes
	value int    // offset of the value, or of white space before it
	end   int    // for the caller: where the value ends; without a member: where the object does
}

// firstMember reads the first key of the object that opens at b[i]. ok is
// false after the last one; end is then the offset after the object or ^o.
func firstMember(b []byte, i int) (m member, ok bool) {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return member{end: i + 1}, false
	}
	return readKey(b, i)
}

// nextMember reads the key after the value that ended at b[i].
func nextMember(b []byte, i int) (m member, ok bool) {
	if i >= len(b) || b[i] != ',' {
		if i = skipSpace(b, i); i >= len(b) {
			return member{end: ^i}, false
		}
		if b[i] == '}' {
			return member{end: i + 1}, false
		}
		if b[i] != ',' {
			return member{end: ^i}, false
		}
	}
	return readKey(b, skipSpace(b, i+1))
}

func readKey(b []byte, i int) (m member, ok bool) {
	if i >= len(b) || b[i] != '"' {
		return member{end: ^i}, false
	}
	end := scanString(b, i)
	if end < 0 {
		return member{end: end}, false
	}
	colon := end
	if colon >= len(b) || b[colon] != ':' {
		if colon = skipSpace(b, colon); colon >= len(b) || b[colon] != ':' {
			return member{end: ^colon}, false
		}
	}
	return member{key: b[i+1 : end-1], value: colon + 1}, true
}

// firstElement returns the offset of the first element of the array that
// opens at b[i]; ok is false after the last one, and at is then the offset
// after the array or ^o.
func firstElement(b []byte, i int) (at int, ok bool) {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, false
	}
	return i, true
}

// nextElement returns the offset of the element after the one that ended at b[i].
func nextElement(b []byte, i int) (at int, ok bool) {
	if i = skipSpace(b, i); i >= len(b) {
		return ^i, false
	}
	switch b[i] {
	case ',':
		return i + 1, true
	case ']':
		return i + 1, false
	default:
		return ^i, false
	}
}

func scanWord(b []byte, i int, word string) int {
	if len(b)-i >= len(word) && view(b[i:i+len(word)]) == word {
		return i + len(word)
	}
	for k := range len(word) {
		if i+k >= len(b) || b[i+k] != word[k] {
			return ^(i + k)
		}
	}
	return i + len(word)
}

func scanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = scanDigits(b, i); i < 0 {
		return i
	}
	if i < len(b) && b[i] == '.' {
		if i = scanDigits(b, i+1); i < 0 {
			return i
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return scanDigits(b, i)
	}
	return i
}

// scanDigits reads one digit or more.
func scanDigits(b []byte, i int) int {
	start := i
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}

// scanString reads the string that opens at b[i].
func scanString(b []byte, i int) int {
	i++
next:
	// Eight bytes at a time, until one of them needs a look.
	for i+8 <= len(b) {
		if s := special(binary.LittleEndian.Uint64(b[i:])); s != 0 {
			i += bits.TrailingZeros64(s) / 8
			break
		}
		i += 8
	}
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = scanEscape(b, i); i < 0 {
				return i
			}
			goto next
		case c < ' ':
			return ^i
		}
	}
	return ^i
}

func scanEscape(b []byte, i int) int {
	if i++; i >= len(b) {
		return ^i
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for range 4 {
			if i++; i >= len(b) || !isHex(b[i]) {
				return ^i
			}
		}
		return i + 1
	default:
		return ^i
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// text returns what the string between the quotes of a scanned string says.
// It shares raw's memory where it can, which is nearly always.
func text(raw []byte) string {
	if plain(raw) {
		return view(raw)
	}
	// Escapes or broken UTF-8: rare, so decoding may cost an allocation.
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return "" // raw was scanned: it can't fail
	}
	return s
}

// plain reports whether a scanned string means what its bytes say.
func plain(raw []byte) bool {
	for _, c := range raw {
		if c == '\\' {
			return false
		}
		if c >= utf8.RuneSelf {
			return plainUnicode(raw)
		}
	}
	return true
}

func plainUnicode(raw []byte) bool {
	return bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw)
}

// view is raw as a string, without a copy. It lives as long as one
// evaluation: nothing of an event is kept.
func view(raw []byte) string {
	return unsafe.String(unsafe.SliceData(raw), len(raw))
}
