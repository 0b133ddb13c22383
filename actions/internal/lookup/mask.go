package lookup

import (
	"cmp"
	"errors"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cause is the text of a transport's error as it may be shown: without the
// URL that net/http puts in front (it names accounts, users and numbers), with
// phone numbers masked and bounded in length (protocol errors quote what the
// other side wrote).
func Cause(err error) string {
	return MaskText(StripURL(err).Error())
}

// StripURL is err without net/http's *url.Error, whose text is the request's URL.
func StripURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok && u.Err != nil {
		return u.Err
	}
	return err
}

// maxText bounds a text of foreign origin in an error, in bytes.
const maxText = 300

// minDigits is how many digits make a phone number of a run of them.
const minDigits = 7

// MaskText masks what could be a phone number in a text of foreign origin: at
// least seven digits of any script, also when up to four other characters
// that aren't letters stand between two of them. It cuts the text to 300 bytes
// and drops control characters. Masking a masked text changes nothing.
func MaskText(s string) string {
	s = strings.Map(printable, strings.ToValidUTF8(s, "\uFFFD"))
	var b strings.Builder
	b.Grow(min(len(s), 2*maxText))
	plus := false // before the number, which makes it no address
	// Cut behind a masked number, never inside a bare one.
	for len(s) > 0 && b.Len() <= maxText {
		r, size := utf8.DecodeRuneInString(s)
		shown := ""
		if isDigit(r) {
			if !plus {
				size = addressAt(s)
			}
			if plus || size == 0 {
				size, shown = numberAt(s)
			}
		}
		b.WriteString(cmp.Or(shown, s[:size]))
		plus = r == '+'
		s = s[size:]
	}
	masked := b.String()
	if len(masked) <= maxText {
		return masked
	}
	cut := maxText
	for !utf8.RuneStart(masked[cut]) {
		cut--
	}
	return masked[:cut] + "…"
}

// printable is r, or a blank for a control character.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// MaskDigits shows the first two and the last three of at least nine digits,
// and none of fewer.
func MaskDigits(digits string) string {
	if len(digits) < 9 {
		return "***"
	}
	return digits[:2] + "***" + digits[len(digits)-3:]
}

// Digits is the digits of s, of any script, as those of ASCII. What is a
// number and no decimal digit, as ① and ², counts as a 0.
func Digits(s string) string {
	var b strings.Builder
	for _, r := range s {
		if isDigit(r) {
			b.WriteByte(digit(r))
		}
	}
	return b.String()
}

// digit is a decimal digit of any script: each script's ten follow one another
// in Unicode, and tables of Nd begin where a script's zero is.
func digit(r rune) byte {
	if i := strings.IndexRune(hanDigits, r); i >= 0 {
		return byte('0' + utf8.RuneCountInString(hanDigits[:i])%10)
	}
	if !unicode.IsDigit(r) {
		return '0'
	}
	zero := r
	for unicode.IsDigit(zero - 1) {
		zero--
	}
	return byte('0' + (r-zero)%10)
}

// hanDigits are Chinese numerals, which Unicode counts as letters: seven of them
// with no other word between are a number.
const hanDigits = "零一二三四五六七八九"

func isDigit(r rune) bool { return unicode.IsNumber(r) || strings.ContainsRune(hanDigits, r) }

// escaped is a character as HTML or JSON write it.
var escaped = regexp.MustCompile(`^(?:&(?:[a-zA-Z]{2,8}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});|\\u[0-9a-fA-F]{4}|\\[nrt])`)

// characterAt is the character that s begins with, and how long it is there:
// as it is, or escaped.
func characterAt(s string) (r rune, size int) {
	r, size = utf8.DecodeRuneInString(s)
	if r != '&' && r != '\\' {
		return r, size
	}
	escape := escaped.FindString(s)
	switch {
	case escape == "":
		return r, size
	case r == '&':
		r, _ = utf8.DecodeRuneInString(html.UnescapeString(escape))
	default:
		r, _, _, _ = strconv.UnquoteChar(escape, 0)
	}
	return r, len(escape)
}

// maxGap is how many characters may stand between two digits of a number.
const maxGap = 4

// numberAt measures the number that s begins with, gaps included, and masks
// it; masked is "" when it has too few digits for a phone number.
func numberAt(s string) (end int, masked string) {
	var digits []byte
	gap := 0
	for i := 0; i < len(s); {
		r, size := characterAt(s[i:])
		i += size
		switch {
		case isDigit(r):
			digits = append(digits, digit(r))
			end, gap = i, 0
		case unicode.IsLetter(r) || gap == maxGap:
			return numberOf(end, digits)
		default:
			gap++
		}
	}
	return numberOf(end, digits)
}

func numberOf(end int, digits []byte) (int, string) {
	if len(digits) < minDigits {
		return end, ""
	}
	return end, MaskDigits(string(digits))
}

// address is an IPv4 address with its port, or a connection's two. People need
// it to find the machine.
var address = regexp.MustCompile(`^` + host + `(?:->` + host + `)?`)

const (
	octet = `(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	host  = octet + `(?:\.` + octet + `){3}\b(?::[0-9]{1,5}\b)?`
)

// moreDigits is what makes a phone number of what looks like an address.
var moreDigits = regexp.MustCompile(`^[-. ]?\pN`)

// addressAt is the length of the address that s begins with, or 0.
func addressAt(s string) int {
	n := len(address.FindString(s[:min(len(s), 64)]))
	if moreDigits.MatchString(s[n:]) {
		return 0
	}
	return n
}
