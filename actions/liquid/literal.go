package liquid

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// number reads a decimal number. What goes on as a name is none.
func (r *reader) number() (float64, bool) {
	n := 0
	if c := r.peek(0); c == '-' || c == '+' {
		n++
	}
	point, digits := false, false
	for r.at+n <= r.end {
		c := r.peek(n)
		if isDigit(c) {
			digits = true
		} else if c == '.' && r.peek(n+1) != '.' {
			if point || !digits {
				return 0, false
			}
			point = true
		} else {
			break
		}
		n++
	}
	next, size := r.rune(r.at + n)
	if !digits || size > 0 && isWord(next) {
		return 0, false
	}
	f, err := strconv.ParseFloat(r.source[r.at:r.at+n], 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	r.at += n
	return f, true
}

// quoted reads a string from its quote to the same quote, or the end.
func (r *reader) quoted() string {
	quote := r.source[r.at]
	start := r.at
	r.at++
	for escaped := false; r.at < r.end; {
		c := r.source[r.at]
		r.at++
		if c == quote && !escaped {
			break
		}
		escaped = !escaped && c == '\\'
	}
	// LiquidJS takes off the last character even when the quote is missing.
	text := r.source[start+1 : r.at]
	if len(text) > 0 {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	if strings.IndexByte(text, hole) < 0 {
		return unescape(text)
	}
	parts := strings.Split(text, "\xff")
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	return strings.Join(parts, "\xff")
}

// unescape resolves a string's escapes: the usual letters, \u and up to four
// hexadecimal digits, up to three octal ones; any other character stands for
// itself.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var units []uint16
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if c != '\\' {
			units = utf16.AppendRune(units, c)
			continue
		}
		if i == len(s) {
			break
		}
		c, size = utf8.DecodeRuneInString(s[i:])
		switch {
		case strings.ContainsRune("bfnrtv", c):
			units = append(units, uint16("\b\f\n\r\t\v"[strings.IndexRune("bfnrtv", c)]))
			i += size
		case c == 'u':
			n, used := digits(s[i+1:], 4, 16)
			units = append(units, uint16(n))
			i += 1 + used
		case c >= '0' && c <= '7':
			n, used := digits(s[i:], 3, 8)
			units = append(units, uint16(n))
			i += used
		default:
			units = utf16.AppendRune(units, c)
			i += size
		}
	}
	return string(utf16.Decode(units))
}

// digits reads up to most digits of a base.
func digits(s string, most int, base uint64) (n uint64, used int) {
	for used < most && used < len(s) {
		d, err := strconv.ParseUint(s[used:used+1], int(base), 8)
		if err != nil {
			break
		}
		n = n*base + d
		used++
	}
	return n, used
}
