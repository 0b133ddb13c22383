package delivery

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
)

// leastDeadline is what a request may have taken whose intent doesn't say:
// delivery.requestTimeout, unless that is more now.
const leastDeadline = 30 * time.Second

// errChanged is why the list can't tell, where an intent doesn't say what it
// was made with and something was changed since.
var errChanged = errors.New("sent or not, it may have been with settings.former or under one of formerNames, which an earlier version didn't write down; Twilio's list has no message by the present settings")

// settle finds out what came of an intent that this delivery found in the
// ledger. Twilio is asked with what the intent was made with: the list of
// another account, host or sender would be silent, whatever was sent.
func (d *delivery) settle(intent ledger.Entry) step {
	asked, differs := d.asked(intent.Made)
	if len(differs) > 0 && intent.Position != d.position() {
		other := deadletter.Origin(d.ev.Origin.Topic, intent.Position.Partition, intent.Position.Offset)
		return d.unknown("undecidable", fmt.Errorf("another event with this messageId, %s, was to be sent with another %s, and nobody knows whether it was: one of the two may be sent", other, strings.Join(differs, ", ")))
	}
	if len(differs) > 0 {
		return d.unknown("changed", fmt.Errorf("sent or not, it was with another %s than the present; settings.former with what it was lets Twilio be asked", strings.Join(differs, ", ")))
	}
	deadline := intent.Made.Deadline
	if deadline == 0 {
		deadline = max(d.cfg.RequestTimeout, leastDeadline)
	}
	next := d.reconcile(inquiry{
		message: asked, body: intent.Tags.Body, since: d.earliest(intent.Time), settled: d.listSettled(intent.Time, deadline),
		certain: intent.Made != ledger.Made{} || !d.cfg.Changed,
	})
	if next == onward && d.formerly != nil { // it surely wasn't sent, and goes on under its present name
		if err := d.closeFormer(ledger.Refused); err != nil {
			return d.refused(err)
		}
		d.intended = false
	}
	return next
}

// asked is the message as it was sent, by the present settings or by one of
// the former; or what is different, where it was by neither. An earlier
// version's intent says nothing, and counts as made with the present settings.
func (d *delivery) asked(made ledger.Made) (m *twilio.Message, differs []string) {
	if made == (ledger.Made{}) {
		return d.plan.Message, nil
	}
	if differs = made.Differences(madeWith(d.plan.Message)); len(differs) == 0 {
		return d.plan.Message, nil
	}
	for _, m := range d.parts.Destination.Former(d.plan.Message) {
		if len(made.Differences(madeWith(m))) == 0 {
			return m, nil
		}
	}
	return nil, differs
}

// earliest is when a request may have left at the earliest whose intent is of
// that time by its writer's clock. That clock may have been ahead: the event
// was there before the intent, and the intent before now. One of the future
// says nothing but that its clock was wrong.
func (d *delivery) earliest(intentAt time.Time) time.Time {
	now := time.Now()
	least, dated := intentAt, d.ev.Origin.Time
	if now.Before(least) {
		least = now
		if !dated.Before(now) {
			return now.Add(-maxSkew)
		}
	}
	if dated.Before(least) {
		least = later(dated, least.Add(-maxSkew))
	}
	return least
}

// maxSkew is more than a replica's clock can be ahead: an event that waited for
// longer doesn't make Twilio's list be asked from then on.
const maxSkew = 24 * time.Hour

// listSettled is from when on the list's silence counts for an intent that
// this delivery finds in the ledger, whose request had a deadline. A former
// owner's request has left before the shard was assigned anew, and our own
// within the deadline from its intent. It reaches Twilio within the deadline,
// and the list may lag behind it. The intent's time is another clock's
// perhaps, so that it only delays.
func (d *delivery) listSettled(intentAt time.Time, deadline time.Duration) time.Time {
	now := time.Now()
	last := later(d.cfg.AssignedAt, now.Add(min(intentAt.Add(deadline).Sub(now), 0)))
	return last.Add(deadline + settlingDelay)
}
