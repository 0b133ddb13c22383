package trace

import (
	"cmp"
	"slices"
	"strings"
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

	order time.Time // At, or later
	rank  int       // of steps at one time
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

// sort puts the steps in order. What Twilio says of a message it dates to the
// second, so that it may seem to come before the message was accepted.
func (t *Timeline) sort() {
	type moment struct {
		sid    string
		second time.Time
	}
	of := func(s *Step) moment { return moment{s.SID, s.At.UTC().Truncate(time.Second)} }
	accepted := map[moment]time.Time{}
	for i := range t.Steps {
		s := &t.Steps[i]
		what := s.What
		if what == Status && strings.HasPrefix(s.Detail, "accepted") {
			what = Accepted
		}
		if s.rank = slices.Index(ranks, what); what == Accepted && s.At.After(accepted[of(s)]) {
			accepted[of(s)] = s.At
		}
	}
	for i := range t.Steps {
		s := &t.Steps[i]
		s.order = s.At
		if at := accepted[of(s)]; (s.What == Status || s.What == Dead) && s.At.Nanosecond() == 0 && at.After(s.At) {
			s.order = at
		}
	}
	slices.SortStableFunc(t.Steps, func(a, b Step) int {
		return cmp.Or(a.order.Compare(b.order), cmp.Compare(a.rank, b.rank), cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Where, b.Where))
	})
}
