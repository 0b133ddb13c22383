package sample

import "engage-worker/actions/outcome"

// Kind is what an event is made to show.
type Kind uint8

const (
	Entered Kind = iota + 1 // can be sent by SMS
	Exited
	Unwanted
	Unsubscribed
	InvalidStatus
	NoRecipient
	WhatsApp // can be sent by WhatsApp
	BadNumber
	OptedOut
	Malformed
)

func (k Kind) String() string {
	return [...]string{"", "entered", "exited", "unwanted", "unsubscribed", "invalid_status",
		"no_recipient", "whatsapp", "bad_number", "opted_out", "malformed"}[k]
}

// Event is a record for the topic, and what should become of it.
type Event struct {
	Key, Value []byte
	Kind       Kind
	MessageID  string // unique of its generator's seed; of a malformed event, too, which may not show it
	UserID     string
	Region     string // us-west-2 or eu-west-1, as properties.region says

	// What a destination with the default trigger, the default mapping of
	// recipients and some body makes of it, when Twilio does nothing but
	// answer magic numbers as documented. ReasonNone is a message sent.
	SMS, WhatsApp outcome.Reason
}
