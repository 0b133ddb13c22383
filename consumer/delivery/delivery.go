package delivery

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/ratelimit"
)

// delivery is one event under one action, on its way. One goroutine has it.
type delivery struct {
	courier  *Courier
	cfg      *Config
	parts    *Parts
	ctx      context.Context // carries the trace only; waits select on intake or work
	ev       *intake.Event
	event    *actions.Event
	followed func() bool // by an event of the same key
	index    int
	action   string

	plan     actions.Delivery
	gate     *ratelimit.Gate
	key      []byte                      // in the ledger
	attempts int                         // over all tiers
	tries    int                         // in place, this time
	pauses   *backoff.ExponentialBackOff // between tries; nil before the first
	keys     [][]byte                    // in the ledger: the present one, and those by which it was known before
	formerly []byte                      // the one of them under which the intent in doubt is, or nil
	intended bool                        // the ledger holds an intent
	doubt    bool                        // and it isn't known what came of it
	other    string                      // where the event is that was sent in place of this one, which differs; or ""

	one                         [1][]byte // room for keys, as there are no former ones as a rule
	begun                       time.Time
	firstFailedAt, lastFailedAt time.Time
	heldSince, throttledSince   time.Time // the first time, however it went on
	since                       time.Time // of the part of the way that a span isn't made of yet
}

// step is what to do after a part of the way.
type step uint8

const (
	onward   step = iota + 1 // to the next part of the way, or to another attempt
	settled                  // done: sent, skipped, or in another topic
	leftOpen                 // not done: the shard is being given up, and its next owner goes on
)

// run takes the delivery all the way and reports whether it is settled;
// otherwise its event stays open.
func (d *delivery) run() bool {
	key := d.ev.Origin.IdempotencyKey(d.event.MessageID())
	d.key = d.ledgerKey(key)
	d.keys = append(d.one[:0], d.key)
	for _, name := range d.courier.former[d.index] {
		d.keys = append(d.keys, ledger.AppendKey(nil, name, key))
	}
	if d.parts.Ledger != nil {
		key := d.parts.Ledger.Key(d.key)
		if !d.courier.exclusive(key) {
			return false
		}
		defer d.courier.release(key)
	}
	next := d.decide()
	for next == onward {
		if d.expired() {
			next = d.expire()
		} else {
			next = d.attempt()
		}
	}
	return next == settled
}

// decide goes the way before the first attempt; onward means that there is a
// message to send.
func (d *delivery) decide() step {
	next, intent := d.consultLedger()
	wanted := d.wanted()
	if next == onward && (wanted || d.doubt) {
		next = d.prepare()
	}
	if next == onward && d.doubt {
		next = d.settle(intent)
	}
	if next == onward && !wanted {
		next = d.unwanted()
	}
	return next
}

// ledgerKey is the delivery's key in the ledger. Earlier versions took an odd
// messageId as it is: what they wrote counts where it is of this very record,
// and then the delivery goes on under that key.
func (d *delivery) ledgerKey(idempotencyKey string) []byte {
	id := d.event.MessageID()
	key := ledger.AppendKey(nil, d.action, idempotencyKey)
	if d.parts.Ledger == nil || !deadletter.OddMessageID(id) {
		return key
	}
	former := ledger.AppendKey(nil, d.action, id)
	if known, ok := d.parts.Ledger.Get(former); !ok || known.Position != d.position() {
		return key
	}
	if _, ok := d.parts.Ledger.Get(key); ok {
		return key
	}
	return former
}

// consultLedger settles what the ledger knows already as sent, or as dead
// from here. An intent without an outcome leaves the delivery in doubt: an
// owner was about to send it and didn't live to say what came of it.
func (d *delivery) consultLedger() (next step, intent ledger.Entry) {
	if d.parts.Ledger == nil {
		return onward, intent
	}
	if d.alreadySent() {
		return settled, intent
	}
	for i, key := range d.keys {
		known, _ := d.parts.Ledger.Get(key)
		switch {
		case known.State == ledger.Dead && known.Position == d.position() && !d.doubt:
			d.count("already_dead", outcome.ReasonNone)
			return settled, intent
		case known.State != ledger.Intent, d.doubt && known.Generation <= intent.Generation:
			continue
		}
		// Of two under different names the later owner's counts: it has
		// settled the other, or the other came too late to be sent.
		d.intended, d.doubt, d.formerly, intent = true, true, nil, known
		if i > 0 {
			d.formerly = key
		}
	}
	if !d.doubt {
		intent = d.recallDoubt()
	}
	return onward, intent
}

// doubtful is the key of the intent in doubt.
func (d *delivery) doubtful() []byte {
	if d.formerly != nil {
		return d.formerly
	}
	return d.key
}

// alreadySent reports whether the ledger says that the delivery was sent. A
// former owner's record may say so late, while this one is at work.
func (d *delivery) alreadySent() bool {
	for _, key := range d.keys {
		known, _ := d.parts.Ledger.Get(key)
		switch {
		case known.State != ledger.Sent, d.passes(known):
			continue
		case known.Position == d.position():
			d.count("already_sent", outcome.ReasonNone)
		default:
			d.duplicate(known)
		}
		return true
	}
	return false
}

// wanted reports whether the action's trigger still wants the event. A source
// record's was asked when it was read; what waited in a retry topic may be
// there by another configuration's.
func (d *delivery) wanted() bool {
	return d.ev.Origin.Action == "" || d.parts.Destination.Wants(d.ev.Message.Value, d.index)
}

// unwanted ends a delivery that surely wasn't sent and that the trigger
// doesn't want any more.
func (d *delivery) unwanted() step {
	if d.intended {
		if err := d.record(ledger.Refused, ""); err != nil {
			return d.refused(err)
		}
	}
	return d.skip(outcome.ReasonNoMatch)
}

// position is where the event is in the source.
func (d *delivery) position() ledger.Position {
	return ledger.Position{Partition: d.ev.Origin.Partition, Offset: d.ev.Origin.Offset}
}

// prepare decides the delivery; onward means that there is a message to send.
func (d *delivery) prepare() step {
	for {
		if d.expired() {
			d.plan = actions.Delivery{Action: d.action, MessageID: d.event.MessageID(), UserID: d.event.UserID()}
			return d.expire()
		}
		began := d.clock()
		d.plan = d.parts.Destination.Prepare(d.parts.Intake, d.event, d.index)
		d.tracePrepare(began)
		if d.parts.Intake.Err() != nil {
			return leftOpen
		}
		switch d.plan.Decision {
		case actions.DecisionSend:
			d.gate = d.parts.Gates.Get(d.plan.Region)
			d.parts.Peers.use(d.gate)
			d.parts.Peers.sends(d.plan.Message.From)
			d.callBack()
			d.tries, d.pauses = 0, nil
			return onward
		case actions.DecisionFail:
			f := failure{reason: d.plan.Reason, disposition: deadletter.Permanent, message: d.plan.Failure.Message, status: d.plan.Failure.Status}
			if !d.plan.Failure.Retryable {
				return d.die(f)
			}
			d.attempts++
			d.tries++
			if s := d.failed(f, d.plan.Failure.RetryAfter); s != onward {
				return s
			}
		default:
			return d.skip(d.plan.Reason)
		}
	}
}

// expired reports whether the event is older than allowed. What may have been
// sent already is reconciled first, whatever its age.
func (d *delivery) expired() bool {
	return d.cfg.MaxEventAge > 0 && !d.doubt && d.age() > d.cfg.MaxEventAge
}

// farAhead is how far a record may be dated ahead before its date is no date:
// a zone's mistake is less.
const farAhead = 24 * time.Hour

// age is how old the event is by its record's timestamp, at least 0, and by the
// corrected clock: events mustn't expire because this machine's is ahead. One
// that is dated far ahead counts as dated when it failed first, or else now, so
// that it expires as others do.
func (d *delivery) age() time.Duration {
	dated := d.ev.Origin.Time
	if begun := d.begun.Add(-d.parts.Clock.Ahead()); dated.Sub(begun) > farAhead {
		dated = begun
		if failed := d.ev.Origin.FirstFailedAt; !failed.IsZero() {
			dated = failed
		}
	}
	return max(0, d.parts.Clock.Now().Sub(dated))
}

// expire buries an event that is too old.
func (d *delivery) expire() step {
	return d.die(failure{reason: outcome.ReasonExpired, disposition: deadletter.Expired, message: "older than delivery.maxEventAge"})
}
