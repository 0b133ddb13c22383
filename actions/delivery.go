package actions

import (
	"slices"
	"strings"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// Failure is why a delivery can't go on. It is an error; its kind is Reason.
type Failure struct {
	Reason     outcome.Reason
	Code       string        // preview's error.code
	Message    string        // for people: names the field or directive; holds no secret, body or full number
	Retryable  bool          // another attempt may succeed (a look-up's 5xx, say)
	Status     int           // HTTP status of the look-up, 0 if none
	RetryAfter time.Duration // what the answer asked for, 0 if nothing
	Err        error         // the cause, or nil
}

func (f *Failure) Error() string {
	if f.Message == "" {
		return f.Reason.String()
	}
	return f.Reason.String() + ": " + f.Message
}

func (f *Failure) Unwrap() error { return f.Err }

// Delivery is one event under one action, decided. It is immutable.
type Delivery struct {
	Action    string // the action's name
	Decision  Decision
	Reason    outcome.Reason  // of a skip or a failure
	Failure   *Failure        // set when Decision is DecisionFail
	Purpose   Purpose         // the action's
	Region    string          // the gate it goes through; set whenever known
	MessageID string          // the event's messageId, or ""
	UserID    string          // the event's userId, or ""
	Recipient string          // the chosen recipient, unmasked, or ""
	Message   *twilio.Message // set when Decision is DecisionSend
}

// Segments is how much of its sender's rate the message takes: an SMS's
// segments, as far as its text is known here, and one of anything else.
func (d *Delivery) Segments() int {
	m := d.Message
	if m == nil || strings.Contains(m.To, ":") || slices.ContainsFunc(m.Form, func(v twilio.FormValue) bool { return v.Name == "MediaUrl" }) {
		return 1
	}
	return max(1, countSegments(m.Body).Segments)
}
