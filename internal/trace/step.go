package trace

import (
	"cmp"
	"slices"
	"time"
)

// Step is one thing that happened. Unknown facts are empty.
type Step struct {
	At          time.Time `json:"at"`
	What        string    `json:"what"` // one of the constants
	Destination string    `json:"destination,omitempty"`
	Action      string    `json:"action,omitempty"`
	Detail      string    `json:"detail,omitempty"` // in words
	MessageID   string    `json:"messageId,omitempty"`
	UserID      string    `json:"userId,omitempty"`
	SID         string    `json:"sid,omitempty"`
	Where       string    `json:"where,omitempty"` // topic/partition/offset of the record that says so

	rank int // of steps at one time
}

// What steps are.
const (
	Event     = "event"     // is in the source
	Trigger   = "trigger"   // wants it, by the configuration at hand
	NotWanted = "no_match"  // no trigger does
	Decision  = "decision"  // what the configuration at hand makes of it, where nothing else is known
	Attempt   = "attempt"   // a request was about to leave
	Accepted  = "accepted"  // Twilio took the message
	Refused   = "not_sent"  // it surely wasn't sent
	Skipped   = "skipped"   // a replay's event isn't to be sent any more
	Retry     = "retry"     // it waits in a retry topic, or did
	Status    = "status"    // what Twilio said later
	Dead      = "dead"      // a dead letter
	Replay    = "replay"    // was begun, published or given up
	Dismissal = "dismissal" // somebody closed a letter, or opened it again
	Replayed  = "replayed"  // the event is in the source again
)

// ranks put steps of one time in the order in which they come about.
var ranks = []string{Event, Replay, Replayed, Trigger, NotWanted, Decision, Attempt, Accepted, Refused, Skipped, Retry, Status, Dead, Dismissal}

// Timeline is what was found.
type Timeline struct {
	Events int    `json:"events"` // in the source
	More   bool   `json:"more"`   // more than are told of
	Steps  []Step `json:"steps"`
}

// sort puts the steps in order.
func (t *Timeline) sort() {
	for i := range t.Steps {
		t.Steps[i].rank = slices.Index(ranks, t.Steps[i].What)
	}
	slices.SortStableFunc(t.Steps, func(a, b Step) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.rank, b.rank), cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Where, b.Where))
	})
}
