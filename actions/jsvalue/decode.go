package jsvalue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// SyntaxError tells why a text is no JSON, and where.
type SyntaxError struct {
	Offset  int
	Message string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.Message, e.Offset)
}

// Decode is JavaScript's JSON.parse: objects become *Object in the order of
// the text, the last of doubled keys counts, a number too large for a double is
// infinite. What is no UTF-8 becomes U+FFFD, as it does where JavaScript reads
// bytes. The result's strings may share json's memory. The error is a
// *SyntaxError; it holds no part of the text.
func Decode(json string) (any, error) {
	// Each member has a colon, and for text that's nothing but colons no more
	// is made than for any other. Most values are strings.
	members := min(strings.Count(json, ":"), len(json)/8)
	d := decoders.Get().(*decoder)
	d.text, d.at = json, 0
	d.members, d.texts, d.objects = slab[Member]{chunk: members}, slab[text]{chunk: 1 + members*3/4}, slab[Object]{chunk: 8}
	v, err := d.all()
	if err == nil && cap(d.open) <= kept && cap(d.items) <= kept {
		*d = decoder{open: d.open, items: d.items}
		decoders.Put(d)
	}
	return v, err
}

// all reads the whole text.
func (d *decoder) all() (any, error) {
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.at < len(d.text) {
		return nil, d.fail("unexpected text after the value")
	}
	return v, nil
}

// decoder reads text. What it makes lives and dies together, as an event's
// values do, and so is allocated together. What isn't complete yet is in the
// decoder and not on the stack: most goroutines decode once, and would have their
// stack grow for it.
type decoder struct {
	text    string
	at      int
	members slab[Member]
	texts   slab[text]
	objects slab[Object]

	open  []Member // of the objects that have begun, the innermost last; clear behind its end
	items []any    // likewise of lists
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// kept bounds what a decoder for later has room for.
const kept = 1024

// slab cuts slices out of larger ones.
type slab[T any] struct {
	free  []T
	chunk int // how many there are in one, if that's enough
}

func (s *slab[T]) cut(n int) []T {
	if n > len(s.free) {
		s.free = make([]T, max(n, s.chunk))
	}
	piece := s.free[:n:n]
	s.free = s.free[n:]
	return piece
}

func (d *decoder) fail(message string) error {
	if d.at >= len(d.text) {
		message = "unexpected end"
	}
	return &SyntaxError{Offset: d.at, Message: message}
}

func (d *decoder) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *decoder) value(depth int) (any, error) {
	if d.at >= len(d.text) {
		return nil, d.fail("")
	}
	switch c := d.text[d.at]; {
	case c == '"':
		return d.string()
	case c == '{':
		if depth == MaxDepth {
			return nil, d.fail("nested too deeply")
		}
		return d.object(depth + 1)
	case c == '[':
		if depth == MaxDepth {
			return nil, d.fail("nested too deeply")
		}
		return d.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	case c == 't':
		return true, d.word("true")
	case c == 'f':
		return false, d.word("false")
	case c == 'n':
		return nil, d.word("null")
	default:
		return nil, d.fail("unexpected character")
	}
}

func (d *decoder) word(word string) error {
	for i := range len(word) {
		if d.at >= len(d.text) || d.text[d.at] != word[i] {
			return d.fail("unexpected character")
		}
		d.at++
	}
	return nil
}

func (d *decoder) object(depth int) (*Object, error) {
	d.at++ // {
	d.space()
	if d.at < len(d.text) && d.text[d.at] == '}' {
		d.at++
		return &d.objects.cut(1)[0], nil
	}
	for first := len(d.open); ; {
		if d.at >= len(d.text) || d.text[d.at] != '"' {
			return nil, d.fail("expected a key")
		}
		key, err := d.string()
		if err != nil {
			return nil, err
		}
		d.space()
		if d.at >= len(d.text) || d.text[d.at] != ':' {
			return nil, d.fail("expected a colon")
		}
		d.at++
		d.space()
		m := Member{key: key}
		if d.at < len(d.text) && d.text[d.at] == '"' {
			var s string
			s, err = d.string()
			t := &d.texts.cut(1)[0]
			*t, m.value = text(s), t
		} else {
			m.value, err = d.value(depth)
		}
		if err != nil {
			return nil, err
		}
		d.open = append(d.open, m)
		d.space()
		switch {
		case d.at < len(d.text) && d.text[d.at] == ',':
			d.at++
			d.space()
		case d.at < len(d.text) && d.text[d.at] == '}':
			d.at++
			return d.closed(first), nil
		default:
			return nil, d.fail("expected a comma or a closing brace")
		}
	}
}

// closed makes the object of the open members from first on.
func (d *decoder) closed(first int) *Object {
	members, at := distinct(d.open[first:])
	own := d.members.cut(len(members))
	copy(own, members)
	clear(d.open[first:])
	d.open = d.open[:first]
	o := &d.objects.cut(1)[0]
	o.fill(own, at)
	return o
}

func (d *decoder) array(depth int) ([]any, error) {
	d.at++ // [
	d.space()
	if d.at < len(d.text) && d.text[d.at] == ']' {
		d.at++
		return []any{}, nil
	}
	for first := len(d.items); ; {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		d.items = append(d.items, v)
		d.space()
		switch {
		case d.at < len(d.text) && d.text[d.at] == ',':
			d.at++
			d.space()
		case d.at < len(d.text) && d.text[d.at] == ']':
			d.at++
			items := slices.Clone(d.items[first:])
			clear(d.items[first:])
			d.items = d.items[:first]
			return items, nil
		default:
			return nil, d.fail("expected a comma or a closing bracket")
		}
	}
}

func (d *decoder) number() (any, error) {
	from := d.at
	if d.text[d.at] == '-' {
		d.at++
	}
	switch {
	case d.at < len(d.text) && d.text[d.at] == '0':
		d.at++
	case !d.digits():
		return nil, d.fail("expected a digit")
	}
	if d.at < len(d.text) && d.text[d.at] == '.' {
		d.at++
		if !d.digits() {
			return nil, d.fail("expected a digit")
		}
	}
	if d.at < len(d.text) && (d.text[d.at] == 'e' || d.text[d.at] == 'E') {
		d.at++
		if d.at < len(d.text) && (d.text[d.at] == '+' || d.text[d.at] == '-') {
			d.at++
		}
		if !d.digits() {
			return nil, d.fail("expected a digit")
		}
	}
	return parseDecimal(d.text[from:d.at]), nil
}

// digits skips digits and reports whether there were any.
func (d *decoder) digits() bool {
	from := d.at
	for d.at < len(d.text) && d.text[d.at] >= '0' && d.text[d.at] <= '9' {
		d.at++
	}
	return d.at > from
}

func (d *decoder) string() (string, error) {
	d.at++ // "
	from := d.at
	for i := from; i < len(d.text); i++ {
		if c := d.text[i]; c == '"' {
			d.at = i + 1
			return d.text[from:i], nil
		} else if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			d.at = i
			return d.unescape(from)
		}
	}
	d.at = len(d.text)
	return "", d.fail("")
}

// unescape goes on with a string that is not plain ASCII, begun at from.
func (d *decoder) unescape(from int) (string, error) {
	var out []byte // nil while the text stands for itself
	for d.at < len(d.text) {
		c := d.text[d.at]
		switch {
		case c == '"':
			s := d.text[from:d.at]
			d.at++
			if out != nil {
				s = string(append(out, s...))
			}
			return s, nil
		case c < ' ':
			return "", d.fail("unescaped control character")
		case c == '\\':
			out = append(out, d.text[from:d.at]...)
			var err error
			if out, err = d.escape(out); err != nil {
				return "", err
			}
			from = d.at
		case c < utf8.RuneSelf:
			d.at++
		default:
			r, size := utf8.DecodeRuneInString(d.text[d.at:])
			if r == utf8.RuneError && size == 1 {
				out = append(append(out, d.text[from:d.at]...), "\uFFFD"...)
				from = d.at + 1
			}
			d.at += size
		}
	}
	return "", d.fail("")
}

// escape reads the escape at d.at and appends what it stands for to out, which
// becomes non-nil.
func (d *decoder) escape(out []byte) ([]byte, error) {
	d.at++ // backslash
	if d.at >= len(d.text) {
		return nil, d.fail("")
	}
	if out == nil {
		out = make([]byte, 0, 16)
	}
	const escapes, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(escapes, d.text[d.at]); i >= 0 {
		d.at++
		return append(out, meanings[i]), nil
	}
	if d.text[d.at] != 'u' {
		return nil, d.fail("invalid escape")
	}
	r, ok := d.hex(d.at + 1)
	if !ok {
		return nil, d.fail("invalid escape")
	}
	d.at += 5
	if utf16.IsSurrogate(r) {
		pair := rune(utf8.RuneError)
		if d.at+1 < len(d.text) && d.text[d.at] == '\\' && d.text[d.at+1] == 'u' {
			if low, ok := d.hex(d.at + 2); ok {
				pair = utf16.DecodeRune(r, low)
			}
		}
		if pair != utf8.RuneError {
			d.at += 6
		}
		r = pair // a lone half can't be encoded
	}
	return utf8.AppendRune(out, r), nil
}

// hex is the number that four digits at a place write.
func (d *decoder) hex(at int) (rune, bool) {
	n, err := strconv.ParseUint(d.text[min(at, len(d.text)):min(at+4, len(d.text))], 16, 16)
	return rune(n), err == nil && at+4 <= len(d.text)
}
