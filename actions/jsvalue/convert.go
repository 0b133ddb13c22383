package jsvalue

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FormatNumber prints f as JavaScript's Number.prototype.toString does: the
// shortest digits that read back as f, in exponent form from 1e21 up and
// below 1e-6.
func FormatNumber(f float64) string {
	var buf [32]byte
	return string(AppendNumber(buf[:0], f))
}

// AppendNumber appends what FormatNumber returns.
func AppendNumber(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	case f == 0:
		return append(b, '0') // negative zero, too
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	// Go pads the exponent to two digits, JavaScript doesn't.
	if n := len(b); n-start >= 4 && b[n-4] == 'e' && b[n-2] == '0' {
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

// MaxDepth bounds how deep a value is looked into, and Decode. JavaScript's
// stack bounds it, too; no event of a real producer comes near.
const MaxDepth = 512

// String is JavaScript's String(v): arrays are joined with commas, null and
// undefined inside them empty; objects are "[object Object]".
func String(v any) string {
	switch v := Of(v).(type) {
	case string:
		return v
	case nil:
		return "null"
	case Undefined:
		return "undefined"
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return FormatNumber(v)
	case []any:
		return Join(v, ",")
	default:
		return "[object Object]"
	}
}

// Join is JavaScript's Array.prototype.join.
func Join(items []any, separator string) string {
	var b strings.Builder
	join(&b, items, separator, 0)
	return b.String()
}

func join(b *strings.Builder, items []any, separator string, depth int) {
	if depth > MaxDepth {
		return
	}
	for i, item := range items {
		if i > 0 {
			b.WriteString(separator)
		}
		switch item := item.(type) {
		case nil, Undefined:
		case []any:
			join(b, item, ",", depth+1)
		default:
			b.WriteString(String(item))
		}
	}
}

// Number is JavaScript's Number(v).
func Number(v any) float64 {
	switch v := Of(v).(type) {
	case float64:
		return v
	case nil:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case string:
		return parseNumber(v)
	case []any:
		return parseNumber(String(v))
	default:
		return math.NaN()
	}
}

// parseNumber reads a string by the grammar of ECMA-262, 7.1.4.1: white space
// around, nothing is 0, decimals, Infinity, and the prefixes 0x, 0o, 0b.
func parseNumber(s string) float64 {
	s = Trim(s)
	if s == "" {
		return 0
	}
	if len(s) > 2 && s[0] == '0' {
		base := 0
		switch s[1] {
		case 'x', 'X':
			base = 16
		case 'o', 'O':
			base = 8
		case 'b', 'B':
			base = 2
		}
		if base != 0 {
			n, err := strconv.ParseUint(s[2:], base, 64)
			if err != nil {
				return math.NaN()
			}
			return float64(n)
		}
	}
	switch s {
	case "Infinity", "+Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	for _, c := range []byte(s) {
		// strconv also reads underscores, hexadecimal floats, "inf" and "nan".
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return math.NaN()
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// powers are as many powers of ten as whole numbers that a double has exactly have
// digits. It has these exactly, too.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseDecimal reads a number of JSON's; one that is too large is infinite. The
// usual one is exact by one division (Clinger, 1990), for which the stack needn't
// grow as it does for strconv.
func parseDecimal(s string) float64 {
	digits, negative := strings.CutPrefix(s, "-")
	whole, places, point := uint64(0), 0, false
	for i := range len(digits) {
		c := digits[i]
		switch {
		case c >= '0' && c <= '9' && i < len(powers)-1:
			whole = whole*10 + uint64(c-'0')
			if point {
				places++
			}
		case c == '.' && !point:
			point = true
		default: // longer, or with an exponent
			x, _ := strconv.ParseFloat(s, 64) // fails only where it is infinite
			return x
		}
	}
	x := float64(whole) / powers[places]
	if negative {
		return -x
	}
	return x
}

// Trim is JavaScript's String.prototype.trim.
func Trim(s string) string { return strings.TrimFunc(s, IsSpace) }

// IsSpace reports whether r is white space or a line end to JavaScript.
func IsSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\v', '\f', '\r', 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// StringLen is the length of s as JavaScript counts it: in UTF-16 units.
func StringLen(s string) int {
	n := 0
	for i := 0; i < len(s); n++ {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		if _, half := halfAt(s, i); half {
			i += halfLength
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// Substring is s from the UTF-16 unit start up to end, which are limited to
// the string; a character of two units cut in half becomes U+FFFD, as it does
// when JavaScript writes such a string out.
func Substring(s string, start, end int) string {
	start, end = max(start, 0), max(end, 0)
	var b strings.Builder
	unit := 0
	for _, r := range s {
		if unit >= end {
			break
		}
		width := 1
		if r > 0xFFFF {
			width = 2
		}
		switch {
		case unit >= start && unit+width <= end:
			b.WriteRune(r)
		case unit+width > start:
			b.WriteRune(utf8.RuneError)
		}
		unit += width
	}
	return b.String()
}
