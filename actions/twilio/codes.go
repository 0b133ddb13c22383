package twilio

import (
	"cmp"
	"slices"
	"strconv"

	"engage-worker/actions/outcome"
)

// class groups Twilio's error codes by what a message that met one needs.
type class uint8

const (
	classOther class = iota
	classOptedOut
	classRecipient
	classAccount     // the account may not send to this recipient
	classSuspended   // the account may not send at all
	classCredentials // the key, or the account's SID, isn't known
	classSender
	classContent
	classThrottle
	classAmbiguous
)

// outcome is what an answer below 500 with a code of this class means.
func (c class) outcome() (outcome.Kind, outcome.Reason) {
	switch c {
	case classOptedOut:
		return outcome.Refused, outcome.ReasonOptedOut
	case classRecipient:
		return outcome.Refused, outcome.ReasonRecipientRejected
	case classAccount, classSuspended:
		return outcome.Refused, outcome.ReasonAccountRejected
	case classSender, classCredentials:
		return outcome.Refused, outcome.ReasonSenderRejected
	case classContent:
		return outcome.Refused, outcome.ReasonContentRejected
	case classThrottle:
		return outcome.Throttled, outcome.ReasonRateLimited
	case classAmbiguous:
		return outcome.Ambiguous, outcome.ReasonOutcomeUnknown
	}
	return outcome.Refused, outcome.ReasonTwilioRejected
}

// ReasonOf is why a delivery fails that Twilio refuses with a code.
func ReasonOf(code int) outcome.Reason {
	_, reason := classOf(code).outcome()
	return reason
}

// concerns is what a refusal of this class is about.
func (c class) concerns() Concern {
	switch c {
	case classSuspended, classCredentials:
		return ConcernsAccount
	case classSender:
		return ConcernsSender
	case classOptedOut, classRecipient, classAccount:
		return ConcernsRecipient
	case classContent:
		return ConcernsContent
	}
	return ConcernsUnknown
}

// remedy is what mends most errors of a class.
func (c class) remedy() string {
	switch c {
	case classOptedOut:
		return "Nothing to mend: the person said no. Mark them unsubscribed where the audience is made; don't replay."
	case classRecipient:
		return "Correct or remove the number on the profile; replay only with a corrected number."
	case classAccount, classSuspended:
		return "Have the Twilio account's owner change its permissions or upgrade it, then replay."
	case classSender, classCredentials:
		return "Correct the sender or the credentials in the destination's settings or mapping, then replay."
	case classContent:
		return "Correct the body, media or template in the mapping or at Twilio; a replay sends what the event makes of the corrected one."
	case classThrottle:
		return "Replay later, or lower the region's rate below what the sender may carry."
	case classAmbiguous:
		return "Look the message up in Twilio's console before replaying: it may have been sent."
	}
	return "Look the code up in Twilio's error dictionary before replaying."
}

// code is one of Twilio's error codes.
type code struct {
	number  int
	class   class // where it refuses a message
	later   Later // where it comes after Twilio accepted the message, or 0 where it doesn't
	meaning string
	remedy  string // "" where the class's fits
}

// find is the entry of a code, or nil.
func find(number int) *code {
	i, ok := slices.BinarySearchFunc(codes[:], number, func(c code, n int) int { return cmp.Compare(c.number, n) })
	if !ok {
		return nil
	}
	return &codes[i]
}

func classOf(number int) class {
	if c := find(number); c != nil {
		return c.class
	}
	return classOther
}

// CodeLabel is a code as a metric's label: itself where it is known, or other.
func CodeLabel(number int) string {
	if find(number) == nil {
		return "other"
	}
	return strconv.Itoa(number)
}

// Explain says for people what one of Twilio's error codes means and what
// usually mends it, be it of a refusal or of what came later. An unknown code
// gets an empty meaning and a way to go on.
func Explain(number int) (meaning, remedy string) {
	c := find(number)
	switch {
	case c == nil:
		return "", classOther.remedy()
	case c.remedy != "":
		return c.meaning, c.remedy
	case c.class == classOther && c.later != 0:
		return c.meaning, c.later.Remedy()
	}
	return c.meaning, c.class.remedy()
}

// ExplainLater is Explain for a code that came after the acceptance.
func ExplainLater(number int) (meaning, remedy string) {
	if c := find(number); c != nil {
		meaning, remedy = c.meaning, c.remedy
	}
	return meaning, cmp.Or(remedy, LaterOf(number).Remedy())
}
