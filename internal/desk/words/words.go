// Package words puts numbers and times into words, as everything that the desk shows
// to people has them.
package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Count writes a number with thin gaps between thousands.
func Count(n any) string {
	if p, ok := n.(*int); ok {
		n = *p
	}
	digits := fmt.Sprint(n)
	var groups []string
	for len(digits) > 3 && digits[0] != '-' {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), ",")
}

// Plural is a number of things with their noun.
func Plural(n any, noun string) string {
	if fmt.Sprint(n) == "1" {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}

// Percent is a part of a whole, "" of nothing. Only nothing is 0%, and only all
// is 100%.
func Percent(part, whole int) string {
	if whole <= 0 {
		return ""
	}
	switch share := 100 * float64(part) / float64(whole); {
	case part > 0 && share < 1:
		return "<1%"
	case part < whole && share > 99:
		return ">99%"
	default:
		return strconv.Itoa(int(math.Round(share))) + "%"
	}
}

// When is a time as it is read: UTC, to the second.
func When(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

// Lasting is a time in words, as exact as anyone needs it.
func Lasting(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under a second"
	case d < 2*time.Minute:
		return Plural(int(d.Seconds()), "second")
	case d < 2*time.Hour:
		return Plural(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return Plural(int(d.Hours()), "hour")
	default:
		return Plural(int(d.Hours()/24), "day")
	}
}

// Capital is a sentence with its first letter in upper case.
func Capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// Short is the beginning of a text.
func Short(n int, s string) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
