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
func AppendJSON(b []byte, v any) []byte { return appendValue(b, v, "", math.MaxInt, 0) }

// EncodeIndentWithin is JavaScript's JSON.stringify(v, null, indent), unless that
// is longer than limit bytes, which it then finds out without making much more.
func EncodeIndentWithin(v any, indent string, limit int) (string, bool) {
	b := appendValue(nil, v, indent, limit, 0)
	if len(b) > limit {
		return "", false
	}
	return string(b), true
}

// appendValue appends v, or less than that once b is longer than limit.
func appendValue(b []byte, v any, indent string, limit, depth int) []byte {
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
		b = append(b, '[')
		for i, item := range v {
			if len(b) > limit {
				return b
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(appendNewline(b, indent, depth+1), item, indent, limit, depth+1)
		}
		if len(v) > 0 {
			b = appendNewline(b, indent, depth)
		}
		return append(b, ']')
	case *Object, map[string]any:
		b = append(b, '{')
		empty := true
		for key, value := range All(v) {
			if len(b) > limit {
				return b
			}
			if _, undefined := value.(Undefined); undefined {
				continue
			}
			if !empty {
				b = append(b, ',')
			}
			empty = false
			b = append(AppendQuoted(appendNewline(b, indent, depth+1), key), ':')
			if indent != "" {
				b = append(b, ' ')
			}
			b = appendValue(b, value, indent, limit, depth+1)
		}
		if !empty {
			b = appendNewline(b, indent, depth)
		}
		return append(b, '}')
	default:
		return append(b, "null"...)
	}
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
// becomes U+FFFD, half a character its number.
func AppendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0 // of what stands for itself
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		size := 1
		if k := strings.IndexByte("\"\\\b\f\n\r\t", c); k >= 0 {
			b = append(b, '\\', `"\bfnrt`[k])
		} else if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else if unit, half := halfAt(s, i); half {
			b = append(b, '\\', 'u', 'd', hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
			size = halfLength
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
		}
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
