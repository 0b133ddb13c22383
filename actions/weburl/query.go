package weburl

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Split cuts the URL where parameters are added to its query, which is written
// anew by the rules of application/x-www-form-urlencoded, as URLSearchParams
// does on any change. head ends with the ? or & that AppendParam goes on from;
// tail is the fragment with its #, or "".
func (u *URL) Split() (head, tail string) {
	query := encodedQuery(u.url.Query())
	head, _, _ = strings.Cut(u.url.Href(true), "?") // nothing before the query has one
	head += "?" + query
	if query != "" {
		head += "&"
	}
	return head, u.url.Hash()
}

func encodedQuery(query string) string {
	b := make([]byte, 0, len(query))
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		if len(b) > 0 {
			b = append(b, '&')
		}
		name, value, _ := strings.Cut(pair, "=")
		b = AppendParam(b, formUnescape(name), formUnescape(value))
	}
	return string(b)
}

// AppendParam appends name=value, encoded as in a query.
func AppendParam(b []byte, name, value string) []byte {
	b = append(appendForm(b, name), '=')
	return appendForm(b, value)
}

// appendForm appends s, encoded. Unlike url.QueryEscape it leaves * alone and
// escapes ~.
func appendForm(b []byte, s string) []byte {
	s = validUTF8(s)
	from := 0 // of what stands for itself
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == '.' || c == '*' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c == ' ' {
			b = append(b, '+')
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return append(b, s[from:]...)
}

const upperHex = "0123456789ABCDEF"

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

// validUTF8 is s with U+FFFD for every byte that is no part of a character.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
