package weburl

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// EncodeQuery writes the query anew by the rules of
// application/x-www-form-urlencoded, as URLSearchParams does on any change.
func (u *URL) EncodeQuery() {
	if u.encoded {
		return
	}
	u.encoded = true
	b := make([]byte, 0, len(u.query))
	for pair := range strings.SplitSeq(u.query, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		b = appendPair(b, formUnescape(k), formUnescape(v))
	}
	u.query = string(b)
}

// Param is a parameter of a query.
type Param struct{ Name, Value string }

// Append adds parameters to the query, which is encoded anew.
func (u *URL) Append(params ...Param) {
	u.EncodeQuery()
	size := len(u.query)
	for _, p := range params {
		size += len(p.Name) + len(p.Value) + 8
	}
	b := append(make([]byte, 0, size), u.query...)
	for _, p := range params {
		b = appendPair(b, p.Name, p.Value)
	}
	u.query, u.hasQuery = string(b), true
}

// appendPair appends name=value, and an & before it unless it is the first.
func appendPair(b []byte, name, value string) []byte {
	if len(b) > 0 {
		b = append(b, '&')
	}
	b = appendForm(b, name)
	b = append(b, '=')
	return appendForm(b, value)
}

// appendForm appends s, encoded. Unlike url.QueryEscape it leaves * alone and
// escapes ~.
func appendForm(b []byte, s string) []byte {
	s = validUTF8(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b = append(b, '+')
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '*', c == '-', c == '.', c == '_':
			b = append(b, c)
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

func formUnescape(s string) string {
	return validUTF8(unescape(strings.ReplaceAll(s, "+", " ")))
}

// unescape decodes what is percent-encoded; a stray percent sign stands for
// itself.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func isRange(err error) bool { return errors.Is(err, strconv.ErrRange) }

// validUTF8 is s with U+FFFD for every byte that is no part of a character.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
