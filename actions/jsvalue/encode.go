package jsvalue

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// Encode is JavaScript's JSON.stringify(v).
func Encode(v any) string { return string(AppendJSON(nil, v)) }

// AppendJSON appends what Encode returns. Undefined at the top is appended as
// null.
func AppendJSON(b []byte, v any) []byte { return appendValue(b, v, "", 0) }

// EncodeIndent is JavaScript's JSON.stringify(v, null, indent).
func EncodeIndent(v any, indent string) string { return string(appendValue(nil, v, indent, 0)) }

func appendValue(b []byte, v any, indent string, depth int) []byte {
	if depth > MaxDepth {
		return append(b, "null"...)
	}
	switch v := Of(v).(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...)
		}
		return AppendNumber(b, v)
	case string:
		return AppendQuoted(b, v)
	case []any:
		return appendArray(b, v, indent, depth)
	case *Object, map[string]any:
		return appendObject(b, object(v), indent, depth)
	default:
		return append(b, "null"...)
	}
}

func appendArray(b []byte, items []any, indent string, depth int) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNewline(b, indent, depth+1)
		b = appendValue(b, item, indent, depth+1)
	}
	if len(items) > 0 {
		b = appendNewline(b, indent, depth)
	}
	return append(b, ']')
}

func appendObject(b []byte, o *Object, indent string, depth int) []byte {
	b = append(b, '{')
	empty := true
	for i := range o.Len() {
		m := &o.members[i]
		if _, undefined := m.value.(Undefined); undefined {
			continue
		}
		if !empty {
			b = append(b, ',')
		}
		empty = false
		b = appendNewline(b, indent, depth+1)
		b = append(AppendQuoted(b, m.key), ':')
		if indent != "" {
			b = append(b, ' ')
		}
		b = appendValue(b, m.get(), indent, depth+1)
	}
	if !empty {
		b = appendNewline(b, indent, depth)
	}
	return append(b, '}')
}

func appendNewline(b []byte, indent string, depth int) []byte {
	if indent == "" {
		return b
	}
	b = append(b, '\n')
	for range depth {
		b = append(b, indent...)
	}
	return b
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
