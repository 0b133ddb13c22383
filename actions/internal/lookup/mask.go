package lookup

import (
	"errors"
	"net/url"
	"strings"
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

// MaskText masks what could be a phone number in a text of foreign origin:
// runs of at least seven digits, also when blanks, hyphens, dots and brackets
// group them. It cuts the text to 300 bytes and drops control characters.
func MaskText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	b.Grow(min(len(s), 2*maxText))
	// Cut behind a masked number, never inside a bare one.
	for i := 0; i < len(s) && b.Len() <= maxText; {
		if !isDigit(s[i]) {
			if s[i] < ' ' || s[i] == 0x7f {
				b.WriteByte(' ')
			} else {
				b.WriteByte(s[i])
			}
			i++
			continue
		}
		end, digits := numberAt(s[i:])
		run := s[i : i+end]
		if len(digits) >= minDigits {
			b.WriteString(MaskDigits(digits))
		} else {
			b.WriteString(run)
		}
		i += end
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

// MaskDigits shows the first two and the last three of at least nine digits,
// and none of fewer.
func MaskDigits(digits string) string {
	if len(digits) < 9 {
		return "***"
	}
	return digits[:2] + "***" + digits[len(digits)-3:]
}

// numberAt measures the grouped number that s begins with: how long it is
// with its separators, and its digits. An IPv4 address is not a number:
// people need it to find the machine.
func numberAt(s string) (end int, digits string) {
	if n := ipv4At(s); n > 0 {
		return n, ""
	}
	var b strings.Builder
	gap := 0
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
			b.WriteByte(c)
			end, gap = i+1, 0
		case strings.IndexByte(" -.()/\u00a0", c) >= 0 && gap < 3:
			gap++
		default:
			return end, b.String()
		}
	}
	return end, b.String()
}

// ipv4At is the length of the dotted IPv4 address that s begins with, or 0.
func ipv4At(s string) int {
	i := 0
	for part := range 4 {
		start := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		if i == start || i-start > 3 {
			return 0
		}
		if part == 3 {
			break
		}
		if i == len(s) || s[i] != '.' {
			return 0
		}
		i++
	}
	if i < len(s) && (s[i] == '.' || s[i] == ' ' && i+1 < len(s) && isDigit(s[i+1])) {
		return 0
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
