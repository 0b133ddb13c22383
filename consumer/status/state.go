package status

import (
	"fmt"
	"slices"
)

// State is how far a message has come. Of two, the larger one counts.
type State uint8

const (
	// Accepted: by Twilio; it waits there.
	Accepted State = iota + 1
	// Sent: Twilio handed it on.
	Sent
	// Unknown: nobody told its end in time.
	Unknown
	// Delivered: it arrived.
	Delivered
	// Read: it was opened, where the channel tells.
	Read
	// Undelivered: it was handed on, and didn't arrive.
	Undelivered
	// Failed: Twilio couldn't hand it on.
	Failed
	// Canceled: somebody took it back before it was handed on.
	Canceled
)

var stateNames = [...]string{
	Accepted: "accepted", Sent: "sent", Unknown: "unknown", Delivered: "delivered", Read: "read",
	Undelivered: "undelivered", Failed: "failed", Canceled: "canceled",
}

func (s State) String() string {
	if int(s) >= len(stateNames) {
		return ""
	}
	return stateNames[s]
}

// States are all of them.
func States() []State {
	return []State{Accepted, Sent, Unknown, Delivered, Read, Undelivered, Failed, Canceled}
}

// Final reports whether the message has come to an end. One that is Delivered
// may still be Read.
func (s State) Final() bool { return s >= Unknown }

// Failure reports whether the end is one that leaves a dead letter.
func (s State) Failure() bool { return s == Undelivered || s == Failed }

// MarshalText is String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is MarshalText's inverse.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames[:], string(text))
	if i < 1 {
		return fmt.Errorf("%.20q is no status of a message", text)
	}
	*s = State(i)
	return nil
}

// StateOf is what one of Twilio's own words for a status means; ok is false
// for one that tells nothing. partially_delivered is no end: some of the parts
// may still come.
func StateOf(twilio string) (s State, ok bool) {
	switch twilio {
	case "accepted", "scheduled", "queued", "sending":
		return Accepted, true
	case "sent", "partially_delivered":
		return Sent, true
	case "delivered":
		return Delivered, true
	case "read":
		return Read, true
	case "undelivered":
		return Undelivered, true
	case "failed":
		return Failed, true
	case "canceled":
		return Canceled, true
	}
	return 0, false
}
