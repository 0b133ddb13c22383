package twiliosim

import (
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// address splits a channel address: "whatsapp:+1555..." into "whatsapp:" and
// the number. Without a channel the first is empty.
func address(s string) (channel, number string) {
	for _, channel := range []string{whatsApp, messenger} {
		if number, ok := strings.CutPrefix(s, channel); ok {
			return channel, number
		}
	}
	return "", s
}

const (
	whatsApp  = "whatsapp:"
	messenger = "messenger:"
)

// normaliseOn is normalise for a channel's number; Messenger has ids.
func normaliseOn(channel, number string) (id string, ok bool) {
	if channel == messenger {
		return number, number != "" && strings.Trim(number, "0123456789") == ""
	}
	return normalise(number)
}

// normalise is a number as E.164, whatever its formatting; a number without
// a country is taken for one of the United States. ok is false for what
// can't be a number by its length.
func normalise(number string) (e164 string, ok bool) {
	if isE164(number) {
		// The common case, without the parser's cost: +1 has ten digits.
		return number, !strings.HasPrefix(number, "+1") || len(number) == len("+15005550006")
	}
	parsed, err := phonenumbers.Parse(number, "US")
	if err != nil || !phonenumbers.IsPossibleNumber(parsed) {
		return "", false
	}
	return phonenumbers.Format(parsed, phonenumbers.E164), true
}

// isE164 is true for + and 7 to 15 digits, the first not 0.
func isE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

// validSender is true for what Twilio takes as a sender: a number, a short
// code of three to eight digits, or up to eleven letters, digits and a few
// signs with a letter among them.
func validSender(s string) bool {
	if strings.HasPrefix(s, "+") {
		_, ok := normalise(s)
		return ok
	}
	if strings.Trim(s, "0123456789") == "" {
		return len(s) >= 3 && len(s) <= 8 || len(s) == 10 || len(s) == 11
	}
	if utf8.RuneCountInString(s) > 11 {
		_, ok := normalise(s)
		return ok
	}
	letter := false
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			letter = true
		case r >= '0' && r <= '9', strings.ContainsRune(" &+-_", r):
		default:
			return false
		}
	}
	return letter
}

// Twilio's magic numbers answer by the same error for everyone.
const (
	magicInvalid    = "+15005550001" // as From 21212, as To 21211
	magicUnroutable = "+15005550002"
	magicForbidden  = "+15005550003"
	magicBlocked    = "+15005550004"
	magicNotOwned   = "+15005550007"
	magicQueueFull  = "+15005550008"
	magicLandline   = "+15005550009"
)
