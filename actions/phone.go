package actions

import (
	"errors"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// whatsAppRegion is where a number without a country code is taken to be.
const whatsAppRegion = "US"

var errNoDigits = errors.New("it has no digit in it")

// whatsAppNumber is phone as WhatsApp wants it, whatsapp: and E.164. A number
// that isn't valid as an American or international one is taken for one that
// lacks its plus sign; then it need only be readable, not valid.
func whatsAppNumber(phone string) (string, error) {
	// Google's libphonenumber drops what can't end a number; its port to Go
	// means to, but has a pattern that matches nothing.
	phone = strings.TrimRightFunc(phone, func(r rune) bool { return r != '#' && !unicode.IsDigit(r) && !unicode.IsLetter(r) })
	number, err := phonenumbers.Parse(phone, whatsAppRegion)
	if err != nil {
		return "", err
	}
	if !phonenumbers.IsPossibleNumber(number) || !phonenumbers.IsValidNumber(number) {
		if number, err = phonenumbers.Parse("+"+phone, whatsAppRegion); err != nil {
			return "", err
		}
	}
	return "whatsapp:" + phonenumbers.Format(number, phonenumbers.E164), nil
}

// smsNumber is phone as an SMS gets it: as it is, if it can be a number at all.
func smsNumber(phone string) (string, error) {
	if !strings.ContainsFunc(phone, unicode.IsDigit) {
		return "", errNoDigits
	}
	return phone, nil
}
