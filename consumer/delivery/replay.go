package delivery

import (
	"slices"
	"time"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
)

// passes reports whether the delivery is a replay that may send once more what
// a ledger's entry says was sent: that very message, which didn't arrive.
func (d *delivery) passes(sent ledger.Entry) bool {
	past := d.ev.Origin.Replay.Past
	return past != nil && sent.Position == (ledger.Position{Partition: past.Partition, Offset: past.Offset})
}

// past is what the intent of such a replay says.
func (d *delivery) past() ledger.Past {
	past := d.ev.Origin.Replay.Past
	if past == nil {
		return ledger.Past{}
	}
	return ledger.Past{Position: ledger.Position{Partition: past.Partition, Offset: past.Offset}, SID: past.SID}
}

// recallDoubt takes the doubt of the letter that is replayed up again, where the
// ledger has forgotten it: Twilio's list remembers for longer.
func (d *delivery) recallDoubt() (intent ledger.Entry) {
	replay := d.ev.Origin.Replay
	if replay.Doubt == "" || d.doubt {
		return intent
	}
	for _, key := range d.keys {
		if _, known := d.parts.Ledger.Get(key); known {
			return intent
		}
	}
	intent, err := ledger.ParseEntry([]byte(replay.Doubt))
	if err != nil || intent.State != ledger.Intent {
		return ledger.Entry{}
	}
	d.doubt = true
	return intent
}

// doubtText is what a later replay is to know of what may have been sent now.
func (d *delivery) doubtText() string {
	if d.parts.Ledger == nil {
		return ""
	}
	if e, ok := d.parts.Ledger.Get(d.doubtful()); ok && e.State == ledger.Intent {
		return string(e.AppendValue(nil))
	}
	return d.ev.Origin.Replay.Doubt
}

// leaveTrace writes down that a replay ends here, and why, for its letter to
// know. What is in doubt keeps what the ledger says of it, and what was sent
// does, too: there the trace is beside it.
func (d *delivery) leaveTrace(reason outcome.Reason) (step, error) {
	if !d.ev.Origin.Replayed || d.parts.Ledger == nil || d.doubt {
		return settled, nil
	}
	e := d.entry(ledger.Refused, "")
	e.Why = reason.String()
	key := d.key
	if slices.ContainsFunc(d.keys, func(key []byte) bool {
		known, _ := d.parts.Ledger.Get(key)
		return known.State == ledger.Sent
	}) {
		key = ledger.Beside(key)
	}
	return settled, d.parts.Ledger.Append(d.parts.Work, key, e)
}

// skip ends a delivery that isn't to be sent.
func (d *delivery) skip(reason outcome.Reason) step {
	next, err := d.leaveTrace(reason)
	if err != nil {
		return d.refused(err)
	}
	d.count("skipped", reason)
	return next
}

// settleUnwanted ends a replay that none of the actions which it is meant for
// wants any more. It is false when the event stays open.
func (c *Courier) settleUnwanted(ev *intake.Event, decoded *actions.Event) bool {
	ledgerKey := ledger.AppendKey(nil, ev.Origin.Replay.Action, ev.Origin.IdempotencyKey(decoded.MessageID()))
	c.parts.Metrics.Events.WithLabelValues(c.cfg.Destination, "", "skipped", outcome.ReasonNoMatch.String()).Inc()
	if c.parts.Ledger == nil {
		return true
	}
	key := c.parts.Ledger.Key(ledgerKey)
	if !c.exclusive(key) {
		return false
	}
	defer c.release(key)
	switch known, _ := c.parts.Ledger.Get(ledgerKey); known.State {
	case ledger.Intent:
		return true // which says more
	case ledger.Sent:
		ledgerKey = ledger.Beside(ledgerKey)
	}
	return c.parts.Ledger.Append(c.parts.Work, ledgerKey, ledger.Entry{
		State: ledger.Refused, Time: time.Now(), Generation: c.cfg.Generation, Why: outcome.ReasonNoMatch.String(),
		Position: ledger.Position{Partition: ev.Origin.Partition, Offset: ev.Origin.Offset},
	}) == nil
}
