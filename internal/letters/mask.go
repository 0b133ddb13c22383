package letters

import (
	"regexp"
	"strings"

	"engage-worker/actions/twilio"
)

var (
	numbers = regexp.MustCompile(`\+[0-9][0-9 ()./-]{6,22}[0-9]`)
	mails   = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`)
)

// Masked veils what reaches a person: numbers with their country, and mail.
func Masked(text string) string {
	text = numbers.ReplaceAllStringFunc(text, func(number string) string {
		return twilio.Mask(strings.Map(func(r rune) rune {
			if r == '+' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, number))
	})
	return mails.ReplaceAllString(text, "***")
}
