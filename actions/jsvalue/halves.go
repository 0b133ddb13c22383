package jsvalue

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A character beyond the first 65,536 is two UTF-16 units to JavaScript, which
// can part them. A half is three bytes here, as UTF-8 would write its number if
// it allowed that (WTF-8). No text that comes from elsewhere has one.
const halfLength = 3

// Halves are the two units of such a character.
func Halves(r rune) (first, second string) {
	high, low := utf16.EncodeRune(r)
	return half(high), half(low)
}

func half(unit rune) string {
	return string([]byte{0xE0 | byte(unit>>12), 0x80 | byte(unit>>6)&0x3F, 0x80 | byte(unit)&0x3F})
}

// halfAt is the half that s has at i.
func halfAt(s string, i int) (unit rune, ok bool) {
	if len(s)-i < halfLength || s[i] != 0xED || s[i+1] < 0xA0 || s[i+1] > 0xBF || s[i+2]&0xC0 != 0x80 {
		return 0, false
	}
	return rune(s[i]&0x0F)<<12 | rune(s[i+1]&0x3F)<<6 | rune(s[i+2]&0x3F), true
}

// JoinHalves puts halves together that stand side by side; one that has lost its other
// half stays.
func JoinHalves(s string) string { return mendHalves(s, half) }

// WithoutHalves does so too, and a lone one is U+FFFD, as when JavaScript writes
// the text out.
func WithoutHalves(s string) string {
	return mendHalves(s, func(rune) string { return "\uFFFD" })
}

func mendHalves(s string, lone func(unit rune) string) string {
	if strings.IndexByte(s, 0xED) < 0 {
		return s
	}
	var b strings.Builder
	from := 0
	for i := 0; i < len(s); {
		first, ok := halfAt(s, i)
		if !ok {
			i++
			continue
		}
		b.WriteString(s[from:i])
		i += halfLength
		second, _ := halfAt(s, i)
		if whole := utf16.DecodeRune(first, second); whole != utf8.RuneError {
			b.WriteRune(whole)
			i += halfLength
		} else {
			b.WriteString(lone(first))
		}
		from = i
	}
	b.WriteString(s[from:])
	return b.String()
}
