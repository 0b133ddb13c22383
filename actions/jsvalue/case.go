package jsvalue

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// ToUpper is JavaScript's String.prototype.toUpperCase: by Unicode's full
// mappings, so that "ß" becomes "SS".
func ToUpper(s string) string {
	if ascii(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

// ToLower is JavaScript's String.prototype.toLowerCase: by Unicode's full
// mappings, final sigma included.
func ToLower(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
