package twilio

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// errRecipient is a recipient that Twilio's list can't be asked about.
var errRecipient = errors.New("the recipient can't be put as Twilio's list knows it (E.164)")

// listed is a recipient as Twilio's message list knows it: in E.164, with its
// channel in front. A number without a plus is read as Twilio's console reads it
// for US accounts; one that can't be read so is an error rather than a guess,
// because an empty list would pass for "not sent".
func listed(to string) (string, error) {
	channel, address := splitChannel(to)
	if channel != "" && channel != "whatsapp:" {
		return channel + address, nil // some other channel's own address
	}
	digits, ok := numberDigits(address)
	if !ok {
		return "", errRecipient
	}
	if strings.HasPrefix(address, "+") {
		if len(digits) < 5 || len(digits) > 15 {
			return "", errRecipient
		}
		if len(address) == len("+")+len(digits) {
			return channel + address, nil // as it is
		}
		return channel + "+" + digits, nil
	}
	number, err := phonenumbers.Parse(address, "US")
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return "", errRecipient
	}
	return channel + phonenumbers.Format(number, phonenumbers.E164), nil
}

// sameRecipient tells whether two addresses are one recipient. Twilio and the
// carriers rewrite the middle of some countries' mobile numbers (Mexico's and
// Argentina's extra digit), never their last eight. Other channels' ids,
// such as Messenger's, are compared whole.
func sameRecipient(a, b string) bool {
	channelA, a := splitChannel(a)
	channelB, b := splitChannel(b)
	if channelA != channelB {
		return false
	}
	digitsA, okA := numberDigits(a)
	digitsB, okB := numberDigits(b)
	if !okA || !okB || channelA != "" && channelA != "whatsapp:" {
		return strings.EqualFold(a, b)
	}
	return lastDigits(digitsA) == lastDigits(digitsB)
}

func lastDigits(s string) string { return s[max(0, len(s)-8):] }

// sameSender tells whether two addresses are one sender: numbers by their
// digits, with or without the plus and punctuation, names without regard
// to case.
func sameSender(a, b string) bool {
	channelA, a := splitChannel(a)
	channelB, b := splitChannel(b)
	if channelA != channelB {
		return false
	}
	digitsA, okA := numberDigits(a)
	digitsB, okB := numberDigits(b)
	if okA && okB {
		return digitsA == digitsB
	}
	return strings.EqualFold(a, b)
}

// splitChannel splits "whatsapp:+1555..." after its colon; SMS has no channel.
func splitChannel(s string) (channel, address string) {
	s = strings.TrimSpace(s)
	before, after, ok := strings.Cut(s, ":")
	if !ok {
		return "", s
	}
	return strings.ToLower(before) + ":", strings.TrimSpace(after)
}

// Person is the same for all ways to write a recipient that Twilio's list knows
// as one: in E.164 with its channel in front, without the digit that Mexico's
// and Argentina's mobile numbers have at times. What is no number is as it stands.
func Person(to string) string {
	address, err := listed(to)
	if err != nil {
		channel, address := splitChannel(to)
		return channel + address
	}
	for _, mobile := range []string{"+521", "+549"} {
		if channel, number, ok := strings.Cut(address, mobile); ok && len(number) == nationalDigits {
			return channel + mobile[:len(mobile)-1] + number
		}
	}
	return address
}

// nationalDigits is how long Mexico's and Argentina's numbers are without it.
const nationalDigits = 10

// Canonical is equal for addresses that are one and the same however they are
// written: a number with or without punctuation, a name in any case.
func Canonical(address string) (channel, id string) {
	channel, id = splitChannel(address)
	if digits, ok := numberDigits(id); ok {
		return channel, digits
	}
	return channel, strings.ToLower(id)
}

// SenderKey is the same for all ways to write a sender, and no other's.
func SenderKey(from string) string {
	channel, id := Canonical(from)
	return channel + id
}
