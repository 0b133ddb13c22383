package jsvalue

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encode is JavaScript's JSON.stringify(v).
func Encode(v any) string { return string(AppendJSON(nil, v)) }

// AppendJSON appends what Encode returns. Undefined at the top is appended as
// null.
func AppendJSON(b []byte, v any) []byte {
	e := encoder{out: b}
	e.value(v, 0)
	return e.out
}

// EncodeIndent is JavaScript's JSON.stringify(v, null, indent).
func EncodeIndent(v any, indent string) string {
	e := encoder{indent: indent}
	e.value(v, 0)
	return string(e.out)
}

type encoder struct {
	out    []byte
	indent string
}

func (e *encoder) value(v any, depth int) {
	if depth > MaxDepth {
		e.out = append(e.out, "null"...)
		return
	}
	switch v := Of(v).(type) {
	case bool:
		e.out = strconv.AppendBool(e.out, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			e.out = append(e.out, "null"...)
			return
		}
		e.out = AppendNumber(e.out, v)
	case string:
		e.out = AppendQuoted(e.out, v)
	case []any:
		e.array(v, depth)
	case *Object, map[string]any:
		e.object(v, depth)
	default:
		e.out = append(e.out, "null"...)
	}
}

func (e *encoder) array(items []any, depth int) {
	e.out = append(e.out, '[')
	for i, item := range items {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		e.newline(depth + 1)
		e.value(item, depth+1)
	}
	if len(items) > 0 {
		e.newline(depth)
	}
	e.out = append(e.out, ']')
}

func (e *encoder) object(v any, depth int) {
	e.out = append(e.out, '{')
	empty := true
	for key, value := range All(v) {
		if _, undefined := value.(Undefined); undefined {
			continue
		}
		if !empty {
			e.out = append(e.out, ',')
		}
		empty = false
		e.newline(depth + 1)
		e.out = append(AppendQuoted(e.out, key), ':')
		if e.indent != "" {
			e.out = append(e.out, ' ')
		}
		e.value(value, depth+1)
	}
	if !empty {
		e.newline(depth)
	}
	e.out = append(e.out, '}')
}

func (e *encoder) newline(depth int) {
	if e.indent == "" {
		return
	}
	e.out = append(e.out, '\n')
	e.out = append(e.out, strings.Repeat(e.indent, depth)...)
}

// AppendQuoted appends s as a JSON string by JSON.stringify's rules: only
// quotes, backslashes and control characters are escaped. Invalid UTF-8
// becomes U+FFFD.
func AppendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += size - 1
		}
	}
	return append(b, '"')
}
