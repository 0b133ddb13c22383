package delivery

import (
	"slices"
	"strings"
	"time"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
)

// strangers are the deliveries in doubt, or on their way, that other
// destinations or other replicas have to the same recipient.
type strangers []stranger

type stranger struct {
	body  uint32    // its text's tag; 0: unknown
	until time.Time // its request is over then
	place place     // of its message
}

// elsewhere asks the ledgers that others write: it leaves of the candidates
// those that no other accounts for, and says who else may have sent them.
// Whatever was sent before the list was asked has its intent in a ledger by
// now.
func (d *delivery) elsewhere(q inquiry, open []twilio.Candidate) ([]twilio.Candidate, strangers, error) {
	sids := make([]string, len(open))
	for i, m := range open {
		sids[i] = m.SID
	}
	account, err := d.parts.Peers.others.Look(d.parts.Intake, d.listSince(q), sids)
	if err != nil {
		return nil, nil, err
	}
	open = slices.DeleteFunc(open, func(m twilio.Candidate) bool { return account.Claimed[m.SID] })
	var strange strangers
	shown := shownWith(q.message)
	for _, o := range account.Doubts {
		at := shown(o)
		if at == nowhere {
			continue
		}
		deadline := o.Made.Deadline
		if deadline == 0 {
			deadline = max(d.cfg.RequestTimeout, leastDeadline)
		}
		strange = append(strange, stranger{body: o.Tags.Body, until: o.Seen.Add(deadline + settlingDelay), place: at})
	}
	return open, strange, nil
}

// place is where another intent's message may be in the list that is asked for
// one.
type place uint8

const (
	nowhere place = iota
	among         // among those that are surely of the one's sender
	beside        // beside them: a number's list also shows what went through a messaging service
)

// shownWith returns where a message of another intent may be in the list that is
// asked for m.
func shownWith(m *twilio.Message) func(ledger.Doubt) place {
	mine, tags, service := madeWith(m), tagsOf(m), isService(m.From)
	return func(o ledger.Doubt) place {
		switch {
		case o.Made == (ledger.Made{}): // an earlier version's
			if o.Tags.Recipient == 0 || o.Tags.Recipient == tags.Recipient {
				return among
			}
		case o.Made.Account != mine.Account || o.Made.Channel != mine.Channel || o.Made.Recipient != mine.Recipient:
		case o.Made.Sender == mine.Sender:
			return among
		case !service:
			return beside
		}
		return nowhere
	}
}

// isService reports whether a sender is a messaging service.
func isService(from string) bool { return strings.HasPrefix(from, "MG") }

// alike are those that may have sent a text of that tag; the others' texts
// are rivals like any.
func (s strangers) alike(body uint32, rivals []uint32) (strangers, []uint32) {
	var alike strangers
	for _, o := range s {
		if o.body == body || o.body == 0 || body == 0 {
			alike = append(alike, o)
		} else {
			rivals = append(rivals, o.body)
		}
	}
	return alike, rivals
}

// among are those whose message may be among those of one's own sender.
func (s strangers) among() strangers {
	return slices.DeleteFunc(slices.Clone(s), func(o stranger) bool { return o.place != among })
}

// underWay reports whether one of them may not know yet what comes of its request.
func (s strangers) underWay() bool {
	now := time.Now()
	return slices.ContainsFunc(s, func(o stranger) bool { return now.Before(o.until) })
}
