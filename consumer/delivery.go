package consumer

import (
	"context"
	"errors"
	"time"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/ratelimit"
)

const (
	// holdInPlace is how long a delivery is held for an open breaker before
	// the retry topic takes it, so that the events of other regions behind it
	// go on; less when room is short. Where no other region goes on either,
	// nothing is gained by that, and it is held for as long as it takes.
	holdInPlace = 5 * time.Second

	// holdPoll is how often a held delivery looks again.
	holdPoll = 250 * time.Millisecond

	// throttledInPlace is how long a delivery is tried again in place while
	// Twilio answers it with 429, each time after what Twilio asked for.
	throttledInPlace = time.Minute
)

// delivery is one event under one action, on its way. One goroutine has it.
type delivery struct {
	*shard
	ctx    context.Context // carries the trace only; waits select on intake or work
	ev     *event
	event  *actions.Event
	index  int
	action string

	plan     actions.Delivery
	gate     *ratelimit.Gate
	key      []byte // in the ledger
	attempts int    // over all tiers
	tries    int    // in place, this time
	intended bool   // the ledger holds an intent
	doubt    bool   // and it isn't known what came of it

	firstFailedAt, lastFailedAt time.Time
	heldSince, throttledSince   time.Time // the first time, however it went on
	since                       time.Time // of the part of the way that a span isn't made of yet
}

// step is what to do after a part of the way.
type step uint8

const (
	again   step = iota + 1 // another attempt
	settled                 // done: sent, skipped, or in another topic
	given                   // not done: the shard is being given up
)

// run takes the delivery all the way; false leaves its event open.
func (d *delivery) run() bool {
	d.key = ledger.AppendKey(nil, d.action, d.ev.origin.idempotencyKey(d.event.MessageID()))
	release, ok := d.exclusiveKey()
	if !ok {
		return false
	}
	defer release()
	next, intentAt := d.consultLedger()
	if next == again {
		next = d.prepare()
	}
	if next == again && d.doubt {
		next = d.reconcile(intentAt, d.listSettled(intentAt))
	}
	for next == again {
		if d.expired() {
			next = d.expire()
		} else {
			next = d.attempt()
		}
	}
	return next == settled
}

// prepare decides the delivery; again means there is a message to send.
func (d *delivery) prepare() step {
	for {
		if d.expired() {
			d.plan = actions.Delivery{Action: d.action, MessageID: d.event.MessageID(), UserID: d.event.UserID()}
			return d.expire()
		}
		began := d.clock()
		d.plan = d.destination.Prepare(d.intake, d.event, d.index)
		d.tracePrepare(began)
		if d.intake.Err() != nil {
			return given
		}
		switch d.plan.Decision {
		case actions.DecisionSend:
			gate, err := d.registry.Get(d.plan.Region)
			if err != nil {
				return d.die(failure{reason: outcome.ReasonMappingFailed, disposition: deadletter.Permanent, message: err.Error()})
			}
			d.gate = gate
			d.use(d.plan.Region, gate)
			d.tries = 0
			return again
		case actions.DecisionFail:
			f := failure{reason: d.plan.Reason, disposition: deadletter.Permanent, message: d.plan.Failure.Message, status: d.plan.Failure.Status}
			if !d.plan.Failure.Retryable {
				return d.die(f)
			}
			d.attempts++
			d.tries++
			if s := d.failed(f, d.plan.Failure.RetryAfter); s != again {
				return s
			}
		default:
			d.count("skipped", d.plan.Reason)
			return settled
		}
	}
}

// consultLedger settles what the ledger knows already as sent, or as dead
// from here. An intent without an outcome leaves the delivery in doubt: an
// owner was about to send it at intentAt and didn't live to say what came of it.
func (d *delivery) consultLedger() (next step, intentAt time.Time) {
	if d.ledger == nil {
		return again, time.Time{}
	}
	known, ok := d.ledger.Get(d.key)
	if !ok {
		return again, time.Time{}
	}
	here := known.Position == ledger.Position{Partition: d.ev.origin.partition, Offset: d.ev.origin.offset}
	switch {
	case known.State == ledger.Sent && here:
		d.count("already_sent", outcome.ReasonNone)
		return settled, time.Time{}
	case known.State == ledger.Sent:
		d.count("skipped", outcome.ReasonDuplicate)
		return settled, time.Time{}
	case known.State == ledger.Dead && here:
		d.count("already_dead", outcome.ReasonNone)
		return settled, time.Time{}
	case known.State == ledger.Intent:
		d.intended, d.doubt = true, true
		return again, known.Time
	default:
		return again, time.Time{}
	}
}

// attempt makes one attempt at sending: gate, lease, intent, request, outcome.
func (d *delivery) attempt() step {
	if !d.awaitLease() {
		return given
	}
	waiting := time.Now()
	permit, err := d.gate.Acquire(d.intake)
	if err != nil {
		return d.hold(err)
	}
	d.traceGate(waiting)
	if next := d.writeIntent(permit); next != settled {
		return next
	}
	intentAt := time.Now()
	d.flights.move(d.plan.Message, 1)
	ctx, cancel := d.lease.under(d.work, d.RequestTimeout)
	result := d.destination.Send(ctx, d.plan.Message, func() error {
		// The process may have been frozen since the lease was asked last,
		// and then no timer has fired yet that would have ended ctx.
		if d.lease.remaining(time.Now()) == 0 {
			return errLeaseLost
		}
		permit.Start()
		return nil
	})
	cancel()
	verdict := verdict(result, d.work)
	permit.Done(verdict)
	d.observeRequest(intentAt, result)
	d.traceRequest(intentAt, result)
	if result.Kind == outcome.Sent {
		defer d.flights.move(d.plan.Message, -1) // once the ledger has its SID
	} else {
		d.flights.move(d.plan.Message, -1)
	}

	if result.Kind == outcome.Unavailable && verdict.Kind == ratelimit.Abandoned {
		return again // it was kept back, and is no attempt
	}
	f := failureOf(result)
	if result.Kind == outcome.Throttled {
		return d.throttled(f, result.RetryAfter) // which costs no attempt
	}
	d.attempts++
	d.tries++
	switch result.Kind {
	case outcome.Sent:
		return d.sent(result.SID)
	case outcome.Refused:
		return d.die(f)
	case outcome.Unavailable:
		return d.failed(f, result.RetryAfter)
	default:
		d.logFailure(f)
		if d.ledger == nil {
			return d.failed(f, 0)
		}
		d.doubt = true
		listSettled := time.Now().Add(settlingDelay)
		if result.Status == 0 { // no answer: what was written may still arrive
			listSettled = later(listSettled, intentAt.Add(d.RequestTimeout+settlingDelay))
		}
		if s := d.reconcile(intentAt, listSettled); s != again {
			return s
		}
		f.reason = outcome.ReasonTwilioUnavailable // it surely wasn't sent
		return d.failed(f, 0)
	}
}

// sent records the SID; only then is the delivery done.
func (d *delivery) sent(sid string) step {
	if !d.record(ledger.Sent, sid) {
		return given
	}
	d.count("sent", outcome.ReasonNone)
	d.metrics.EndToEnd.WithLabelValues(d.Destination, d.plan.Region).Observe(time.Since(d.ev.origin.time).Seconds())
	return settled
}

// hold waits for what Acquire's err says; a retry topic takes what would
// hold others up.
func (d *delivery) hold(err error) step {
	var open *ratelimit.OpenError
	if !errors.As(err, &open) {
		return given // intake ended
	}
	now := time.Now()
	if d.heldSince.IsZero() {
		d.heldSince = now
	}
	held := now.Sub(d.heldSince)
	if d.blocksOthers(held) {
		return d.retryLater(0, d.ev.origin.tier, failure{reason: outcome.ReasonTwilioUnavailable, message: open.Error()})
	}
	defer d.holding("breaker")()
	if !sleep(d.intake, min(open.RetryAfter, holdPoll)) {
		return given
	}
	return again
}

// blocksOthers tells whether holding the delivery on keeps other regions'
// deliveries waiting: those that are read, after a few seconds, or at once when
// room is short or an event of the same key waits behind; those that may not
// be read yet, when that has gone on for as long.
func (d *delivery) blocksOthers(held time.Duration) bool {
	if !d.severalRegions || held == 0 {
		return false
	}
	long, pressed := held >= holdInPlace, d.underPressure() || d.followed(d.ev)
	if !long && !pressed {
		return false
	}
	return d.othersGoOn(d.gate) || long && pressed && d.onlyUsed(d.gate)
}

// throttled tries again in place, at the pace that the gate now allows; after
// a while the next tier takes it.
func (d *delivery) throttled(f failure, retryAfter time.Duration) step {
	d.failedNow()
	now := time.Now()
	if d.throttledSince.IsZero() {
		d.throttledSince = now
	}
	if now.Sub(d.throttledSince)+retryAfter < throttledInPlace {
		return again // Acquire waits as long as Twilio asked for
	}
	d.logFailure(f)
	return d.nextTier(f)
}

// failed tries a transient failure again in place, a few times; then the next
// tier takes it.
func (d *delivery) failed(f failure, retryAfter time.Duration) step {
	d.failedNow()
	d.logFailure(f)
	if d.tries >= d.Attempts {
		return d.nextTier(f)
	}
	b := backoff{initial: d.BackoffInitial, max: d.BackoffMax, n: d.tries - 1}
	wait := max(b.next(), retryAfter)
	if wait > d.BackoffMax {
		return d.nextTier(f)
	}
	if !sleep(d.intake, wait) {
		return given
	}
	return again
}

// nextTier puts the delivery into its next retry topic, or buries it after
// the last.
func (d *delivery) nextTier(f failure) step {
	tier := d.ev.origin.tier
	if tier < len(d.Topics.Retry) {
		return d.retryLater(tier, tier+1, f)
	}
	if f.disposition != deadletter.Ambiguous {
		f.disposition = deadletter.Exhausted
	}
	return d.bury(f)
}

// expired tells whether the event is older than allowed. What may have been
// sent already is reconciled first, whatever its age.
func (d *delivery) expired() bool {
	return d.MaxEventAge > 0 && !d.doubt && time.Since(d.ev.origin.time) > d.MaxEventAge
}

// expire buries an event that is too old.
func (d *delivery) expire() step {
	return d.die(failure{reason: outcome.ReasonExpired, disposition: deadletter.Expired, message: "older than delivery.maxEventAge"})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (d *delivery) failedNow() {
	d.lastFailedAt = time.Now()
	if d.firstFailedAt.IsZero() {
		d.firstFailedAt = d.lastFailedAt
	}
}

// exclusiveKey takes the delivery's key in the shard.
func (d *delivery) exclusiveKey() (release func(), ok bool) {
	if d.ledger == nil {
		return func() {}, true
	}
	return d.exclusive(d.intake, d.ledger.Key(d.key))
}

// writeIntent puts the intent into the ledger and asks the lease once more;
// settled means that the request may leave. A ledger or a coordinator that
// doesn't answer must not keep the region's permit from other shards: the
// permit goes back, and the attempt begins again once there is an answer.
func (d *delivery) writeIntent(permit *ratelimit.Permit) step {
	abandon := func(next step) step {
		permit.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
		return next
	}
	if d.ledger != nil {
		written := d.ledger.Begin(d.key, d.entry(ledger.Intent, ""))
		patience := time.NewTimer(intentPatience)
		defer patience.Stop()
		var err error
		select {
		case err = <-written:
		case <-d.work.Done():
			return abandon(given)
		case <-patience.C:
			abandon(again)
			select {
			case err = <-written:
			case <-d.work.Done():
				return given
			}
			if err == nil {
				d.intended = true
				return again
			}
		}
		if err != nil {
			return abandon(d.refused(err))
		}
		d.intended = true
	}
	if d.lease.remaining(time.Now()) == 0 {
		return abandon(again)
	}
	return settled
}

// intentPatience is how long a delivery keeps its permit while its intent is
// being written.
const intentPatience = 500 * time.Millisecond

// refused is for a record that the ledger won't take: the delivery can't be
// made safely, so it waits for its shard's next owner.
func (d *delivery) refused(err error) step {
	if d.work.Err() == nil {
		d.log.Error().Err(err).Str("action", d.action).Str("messageId", d.plan.MessageID).Msg("the ledger refuses a record; its event stays open")
	}
	return given
}

// record writes the delivery's state to the ledger; false when work ended first.
func (d *delivery) record(state ledger.State, sid string) bool {
	if d.ledger == nil {
		return true
	}
	if err := d.ledger.Append(d.work, d.key, d.entry(state, sid)); err != nil {
		d.refused(err)
		return false
	}
	d.intended, d.doubt = false, false
	return true
}

func (d *delivery) entry(state ledger.State, sid string) ledger.Entry {
	e := ledger.Entry{
		State: state, SID: sid, Time: time.Now(), Generation: d.number,
		Position: ledger.Position{Partition: d.ev.origin.partition, Offset: d.ev.origin.offset},
	}
	if state == ledger.Intent {
		e.Tags = tagsOf(d.plan.Message)
	}
	return e
}

// verdict is what a result tells the gate.
func verdict(r twilio.Result, work context.Context) ratelimit.Verdict {
	switch r.Kind {
	case outcome.Sent:
		return ratelimit.Verdict{Kind: ratelimit.Delivered}
	case outcome.Refused:
		return ratelimit.Verdict{Kind: ratelimit.Refused}
	case outcome.Throttled:
		return ratelimit.Verdict{Kind: ratelimit.Throttled, RetryAfter: r.RetryAfter}
	default:
		if work.Err() != nil || errors.Is(r.Err, errLeaseLost) || errors.Is(r.Err, context.Canceled) {
			return ratelimit.Verdict{Kind: ratelimit.Abandoned} // our doing, not the vendor's
		}
		return ratelimit.Verdict{Kind: ratelimit.VendorFault}
	}
}

// awaitLease waits until the lease allows another request; false when the
// shard is given up first.
func (d *delivery) awaitLease() bool {
	for d.lease.remaining(time.Now()) < d.SessionTimeout/leaseReserve {
		if !sleep(d.intake, leasePoll) {
			return false
		}
	}
	return true
}

const (
	// A request isn't begun in the last part of a lease: it would only be cut off.
	leaseReserve = 10
	leasePoll    = 20 * time.Millisecond
)
