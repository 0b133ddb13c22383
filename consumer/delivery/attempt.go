package delivery

import (
	"context"
	"errors"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/lease"
	"engage-worker/consumer/ledger"
	"engage-worker/internal/pause"
	"engage-worker/ratelimit"
)

// attempt makes one attempt at sending: doors, gate, lease, intent, request,
// outcome.
func (d *delivery) attempt() step {
	if !d.awaitLease() {
		return leftOpen
	}
	permit, err := d.awaitGate(d.sender())
	if err != nil {
		return d.hold(err)
	}
	intentAt := time.Now()
	if leave, next := d.writeIntent(permit); !leave {
		return next
	}
	// Only now, as who waits for its ledger must not keep others from trying
	// the account.
	pass, err := d.parts.Doors.Enter(d.parts.Intake, d.sender())
	if err != nil {
		permit.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
		if next := d.keepBack(); next != onward {
			return next
		}
		return d.hold(err)
	}
	r := &request{of: d, permit: permit, pass: pass, intentAt: intentAt}
	r.send()
	return d.after(r)
}

// request is one request of a delivery, and what it came to.
type request struct {
	of       *delivery
	permit   *ratelimit.Permit
	pass     *ratelimit.Pass
	intentAt time.Time // right before its intent was written
	began    time.Time
	left     time.Time // or when it would have left
	result   twilio.Result
}

// send makes the request, in the right order of its last looks; see leave.
func (r *request) send() {
	d := r.of
	r.began = time.Now()
	r.left = r.began
	d.parts.Peers.flights.move(d.plan.Message, 1)
	ctx := d.parts.Lease.Under(d.parts.Work, d.cfg.RequestTimeout)
	r.result = d.parts.Destination.Send(ctx, d.plan.Message, r.leave)
}

// leave is asked right before the request is written. The process may have been
// frozen since the lease was asked last, and then no timer has fired yet that
// would have ended the request's context. Who finds the intent counts on the request
// having left in time.
func (r *request) leave() error {
	d := r.of
	r.left = time.Now()
	switch {
	case d.parts.Lease.Remaining(r.left) == 0:
		return lease.ErrLost
	case r.left.Sub(r.intentAt) >= d.cfg.RequestTimeout:
		return context.DeadlineExceeded
	}
	if !r.permit.Start() {
		return ratelimit.ErrLost
	}
	return nil
}

// after goes on by what a request came to.
func (d *delivery) after(r *request) step {
	result := &r.result
	verdict := verdictOf(d.parts.Work, result)
	r.permit.Done(verdict)
	f := failureOf(result)
	closed := r.pass.Done(answerOf(result), d.plan.Message.To, ratelimit.Refusal{Code: f.code, Message: f.message})
	d.observeRequest(r.began, result)
	d.traceRequest(r.began, result)
	if result.Kind == outcome.Sent {
		defer d.parts.Peers.flights.move(d.plan.Message, -1) // once the ledger has its SID
	} else {
		d.parts.Peers.flights.move(d.plan.Message, -1)
	}

	if result.Kind == outcome.Unavailable && verdict.Kind == ratelimit.Abandoned {
		return onward // it was kept back, and is no attempt
	}
	if closed && result.Kind == outcome.Refused {
		return d.keepBack() // which is no event's fault, and no attempt
	}
	if result.Kind == outcome.Throttled {
		return d.throttled(f, result.RetryAfter) // which costs no attempt
	}
	d.attempts++
	d.tries++
	switch result.Kind {
	case outcome.Sent:
		if next := d.sent(result.SID); next != onward {
			return next
		}
		return leftOpen // the shard is lost, and its next owner has found the message before
	case outcome.Refused:
		return d.die(f)
	case outcome.Unavailable:
		return d.failed(f, result.RetryAfter)
	default:
		return d.inDoubt(r, f)
	}
}

// inDoubt finds out what came of a request whose answer doesn't say.
func (d *delivery) inDoubt(r *request, f failure) step {
	d.logFailure(f)
	if d.parts.Ledger == nil {
		return d.failed(f, 0)
	}
	d.doubt = true
	listSettled := time.Now().Add(settlingDelay)
	if r.result.Status == 0 { // no answer: what was written may still arrive
		listSettled = later(listSettled, r.left.Add(d.cfg.RequestTimeout+settlingDelay))
	}
	if s := d.reconcile(inquiry{message: d.plan.Message, since: r.intentAt, settled: listSettled, certain: true}); s != onward {
		return s
	}
	f.reason = outcome.ReasonTwilioUnavailable // it surely wasn't sent
	return d.failed(f, 0)
}

// awaitGate waits for the region's gate. The doors are asked before, so that
// nobody queues in vain.
func (d *delivery) awaitGate(s ratelimit.Sender) (*ratelimit.Permit, error) {
	if err := d.parts.Doors.Check(s); err != nil {
		return nil, err
	}
	waiting := time.Now()
	permit, err := d.gate.Acquire(d.parts.Intake, d.request(s))
	if err == nil {
		d.traceGate(waiting)
	}
	return permit, err
}

// enter passes the region's gate, and then the doors, which may have closed
// meanwhile.
func (d *delivery) enter(s ratelimit.Sender) (*ratelimit.Permit, *ratelimit.Pass, error) {
	permit, err := d.awaitGate(s)
	if err != nil {
		return nil, nil, err
	}
	pass, err := d.parts.Doors.Enter(d.parts.Intake, s)
	if err != nil {
		permit.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
		return nil, nil, err
	}
	return permit, pass, nil
}

// sent records the SID, in the status topic and then in the ledger, so that
// whatever the ledger calls sent is followed; only then is the delivery done. Where the ledger knows
// better, it is onward if the message is another delivery's, and settled if
// this one was sent under another SID.
func (d *delivery) sent(sid string) step {
	if err := d.follow(sid); err != nil {
		return leftOpen
	}
	err := d.record(ledger.Sent, sid)
	switch {
	case errors.Is(err, ledger.ErrClaimed):
		if d.unfollow(sid) != nil {
			return leftOpen
		}
		if d.alreadySent() {
			return settled
		}
		return onward
	case err != nil:
		return d.refused(err)
	}
	d.count("sent", outcome.ReasonNone)
	d.parts.Metrics.EndToEnd.WithLabelValues(d.cfg.Destination, d.plan.Region).Observe(d.age().Seconds())
	return settled
}

// awaitLease waits until the lease allows another request, and until the
// ledger is ours alone; false when the shard is given up first.
func (d *delivery) awaitLease() bool {
	for d.usurped() {
		release := d.courier.holding("shared_ledger")
		ok := pause.For(d.parts.Intake, time.Second)
		release()
		if !ok {
			return false
		}
	}
	for d.parts.Lease.Remaining(time.Now()) < d.cfg.SessionTimeout/leaseReserve {
		if !pause.For(d.parts.Intake, leasePoll) {
			return false
		}
	}
	return true
}

// usurped reports whether another group writes into the shard's ledger: it
// may send the same events, and nobody would know of it.
func (d *delivery) usurped() bool { return d.parts.Ledger != nil && d.parts.Ledger.Usurper() != "" }

const (
	// A request isn't begun in the last part of a lease: it would only be cut off.
	leaseReserve = 10
	leasePoll    = 20 * time.Millisecond
)

// writeIntent puts the intent into the ledger, which thereby reads what others
// have written before it, asks the lease once more, and
// reports whether the request may leave. Otherwise the permit is given back,
// and next says how the delivery goes on. A ledger or a coordinator that
// doesn't answer must not keep the region's permit from other shards: the
// permit goes back, and the attempt begins again once there is an answer.
func (d *delivery) writeIntent(permit *ratelimit.Permit) (leave bool, next step) {
	abandon := func(next step) (bool, step) {
		permit.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
		return false, next
	}
	if d.parts.Ledger != nil {
		written := d.parts.Ledger.Begin(d.key, d.entry(ledger.Intent, ""))
		patience := d.courier.timers.Get().(*time.Timer)
		defer d.courier.timers.Put(patience)
		patience.Reset(intentPatience)
		defer patience.Stop()
		select {
		case <-written.Done():
		case <-d.parts.Work.Done():
			return abandon(leftOpen)
		case <-patience.C:
			abandon(onward)
			select {
			case <-written.Done():
			case <-d.parts.Work.Done():
				return false, leftOpen
			}
			if written.Err() == nil {
				d.intended = true
				return false, onward
			}
		}
		if err := written.Err(); err != nil {
			return abandon(d.refused(err))
		}
		d.intended = true
		if d.alreadySent() {
			return abandon(settled)
		}
		if d.usurped() {
			return abandon(onward)
		}
	}
	if d.parts.Lease.Remaining(time.Now()) == 0 {
		return abandon(onward)
	}
	return true, 0
}

// intentPatience is how long a delivery keeps its permit while its intent is
// being written.
const intentPatience = 500 * time.Millisecond

// verdictOf is what a result tells the gate.
func verdictOf(work context.Context, r *twilio.Result) ratelimit.Verdict {
	switch r.Kind {
	case outcome.Sent:
		return ratelimit.Verdict{Kind: ratelimit.Delivered}
	case outcome.Refused:
		return ratelimit.Verdict{Kind: ratelimit.Refused}
	case outcome.Throttled:
		return ratelimit.Verdict{Kind: ratelimit.Throttled, RetryAfter: r.RetryAfter}
	default:
		if work.Err() != nil || errors.Is(r.Err, lease.ErrLost) || errors.Is(r.Err, ratelimit.ErrLost) || errors.Is(r.Err, context.Canceled) {
			return ratelimit.Verdict{Kind: ratelimit.Abandoned} // our doing, not the vendor's
		}
		return ratelimit.Verdict{Kind: ratelimit.VendorFault}
	}
}

func (d *delivery) observeRequest(start time.Time, r *twilio.Result) {
	d.parts.Metrics.RequestDuration.WithLabelValues(d.cfg.Destination, d.plan.Region, r.Kind.String()).Observe(time.Since(start).Seconds())
	if r.Code != 0 {
		d.parts.Metrics.TwilioErrors.WithLabelValues(d.cfg.Destination, twilio.CodeLabel(r.Code)).Inc()
	}
}
