package delivery

import (
	"context"
	"errors"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/pause"
	"engage-worker/ratelimit"
)

const (
	// settlingDelay is how long after an ambiguous request Twilio's list is
	// believed when it doesn't show the message: the list lags behind.
	settlingDelay = 6 * time.Second

	// firstLook is when the list is first asked; most messages show at once.
	firstLook = 1500 * time.Millisecond

	// clockMargin is what Twilio's clock and ours may differ without being
	// corrected. Two replicas' clocks are never compared: an intent's time only
	// bounds what to list.
	clockMargin = time.Minute

	// listTries is how often in a row the list may fail before the delivery
	// goes to the next retry tier, still in doubt.
	listTries = 3
)

// inquiry is what Twilio's list is asked for a request.
type inquiry struct {
	message *twilio.Message // as it was sent, for all that is known; its text may have been another
	body    uint32          // the tag of the text that was sent; 0: message's own
	since   time.Time       // when it may have been sent at the earliest
	settled time.Time       // from when on the list's silence counts
	certain bool            // and it says that nothing was sent: the list is the right one
}

// reconcile finds out from Twilio's message list whether the delivery's last
// request was sent. It returns settled when the request was sent (or its fate
// is decided otherwise), onward when it surely wasn't.
func (d *delivery) reconcile(q inquiry) step {
	listSettled := q.settled
	select {
	case <-d.parts.Peers.restored: // what other shards claim, and have in doubt
	case <-d.parts.Intake.Done():
		return leftOpen
	}
	d.parts.Peers.flights.doubt(q.message, listSettled)
	failed := 0
	// The first look is early; where the list's silence counts already, at once.
	for wait := min(firstLook, time.Until(listSettled)); ; wait = nextLook(listSettled) {
		if !pause.For(d.parts.Intake, wait) || !d.awaitLease() {
			return leftOpen
		}
		found, asked, next, err := d.list(q)
		switch {
		case next != onward:
			return next
		case errors.Is(err, errNotAsked):
			continue
		case err != nil && d.parts.Intake.Err() != nil:
			return leftOpen
		case err != nil:
			failed++
			if again, next := d.listFailed(err, failed); !again {
				return next
			}
			continue
		}
		if d.alreadySent() {
			return settled
		}
		choice, sid, release, err := d.choose(q, found)
		switch {
		case err != nil && d.parts.Intake.Err() != nil:
			return leftOpen
		case errors.Is(err, ledger.ErrTooMuch):
			return d.unknown("undecidable", err)
		case err != nil:
			failed++
			if again, next := d.listFailed(err, failed); !again {
				return next
			}
			continue
		}
		failed = 0
		// Another one that came into doubt meanwhile may have taken this one's
		// message for its own, and its own may still come.
		listSettled = later(listSettled, d.parts.Peers.flights.doubtful(q.message))
		switch {
		case choice == itsOwn:
			next := d.sent(sid)
			release()
			if next == onward {
				continue
			}
			d.reconciled("sent")
			return next
		case choice == notYet, asked.Before(listSettled):
			continue
		case choice == cantTell:
			return d.unknown("undecidable", d.undecidable(q))
		case !q.certain:
			return d.unknown("changed", errChanged)
		default:
			d.reconciled("not_sent")
			d.doubt = false
			return onward
		}
	}
}

// errNotAsked says that nobody's answer was had, and that it's nobody's fault:
// the list is to be asked again.
var errNotAsked = errors.New("the list wasn't asked")

// list asks Twilio's list once, at the time asked. When next isn't onward, it says
// how the delivery goes on.
func (d *delivery) list(q inquiry) (found []twilio.Candidate, asked time.Time, next step, err error) {
	permit, pass, err := d.enter(d.account())
	if err != nil {
		// Under an open breaker, or with a key that is refused, the list
		// isn't asked either.
		return nil, asked, d.hold(err), errNotAsked
	}
	if !permit.Start() {
		permit.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
		pass.Done(ratelimit.Unheard, "", ratelimit.Refusal{})
		return nil, asked, onward, errNotAsked
	}
	asked = time.Now()
	ctx := d.parts.Lease.Under(d.parts.Work, d.cfg.RequestTimeout)
	found, err = d.parts.Destination.Find(ctx, q.message, d.listSince(q))
	// Given up with the lease or with work, which is nobody's fault.
	ours := err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded)
	permit.Done(listVerdict(err, ours))
	answer, refusal := answerOfList(err)
	if q.message.Access != 0 {
		answer = ratelimit.Unheard // former credentials, which say nothing of the present ones
	}
	closed := pass.Done(answer, "", refusal)
	switch {
	case ours && d.parts.Work.Err() != nil && !closed:
		return nil, asked, leftOpen, errNotAsked
	case closed, ours: // to where it is held, still in doubt; once there is a lease again
		return nil, asked, onward, errNotAsked
	}
	return found, asked, onward, err
}

// listSince is from when on the list is asked for. Twilio's clock dates it, of
// which this machine's may be ahead.
func (d *delivery) listSince(q inquiry) time.Time {
	return q.since.Add(-clockMargin - max(0, d.parts.Clock.Ahead()))
}

// reworded reports whether the message has another text now than what was sent.
func (q inquiry) reworded() bool { return q.body != 0 && q.body != bodyTag(q.message.Body) }

// undecidable is why the list can't tell, though it has messages.
func (d *delivery) undecidable(q inquiry) error {
	if len(d.parts.Peers.rivals(q.message, among, d.doubtful())) == 0 {
		return errors.New("Twilio's list has a message to this recipient that may be this one, but its text is another, or another destination or replica may have sent it")
	}
	return errors.New("several deliveries to this recipient are in doubt, and Twilio's list can't tell them apart")
}

// listFailed reports whether the list is to be asked again; otherwise next says
// how the delivery goes on.
func (d *delivery) listFailed(err error, inARow int) (again bool, next step) {
	var list *twilio.LookupError
	if errors.As(err, &list) && !list.Retryable {
		return false, d.unknown("list_refused", err)
	}
	if inARow < listTries {
		return true, 0
	}
	d.reconciled("list_failed")
	f := failure{reason: outcome.ReasonOutcomeUnknown, disposition: deadletter.Ambiguous, message: "what came of it can't be found out: " + err.Error()}
	d.logFailure(f)
	if d.ev.Origin.Tier >= len(d.cfg.Retry) {
		return false, d.unknown("list_failed", err)
	}
	return false, d.nextTier(f)
}

// nextLook is when to ask the list again: as soon as its silence counts, but
// never without a pause.
func nextLook(listSettled time.Time) time.Duration {
	if left := time.Until(listSettled); left > 0 {
		return min(firstLook, left)
	}
	return firstLook
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// unknown is for what Twilio can't tell: the configuration decides.
func (d *delivery) unknown(why string, err error) step {
	d.reconciled(why)
	f := failure{reason: outcome.ReasonOutcomeUnknown, disposition: deadletter.Ambiguous, message: err.Error()}
	d.logFailure(f)
	if d.cfg.ResendUnknown || d.ev.Origin.Replay.EvenIfSent {
		d.doubt = false
		return onward
	}
	return d.bury(f)
}

func (d *delivery) reconciled(result string) {
	d.parts.Metrics.Reconciliations.WithLabelValues(d.cfg.Destination, result).Inc()
}

// listVerdict is what the list's answer tells the gate.
func listVerdict(err error, stopped bool) ratelimit.Verdict {
	var list *twilio.LookupError
	switch {
	case err == nil:
		return ratelimit.Verdict{Kind: ratelimit.Delivered}
	case stopped || !errors.As(err, &list):
		return ratelimit.Verdict{Kind: ratelimit.Abandoned}
	case list.Status == 429:
		return ratelimit.Verdict{Kind: ratelimit.Throttled, RetryAfter: list.RetryAfter}
	case list.Retryable:
		return ratelimit.Verdict{Kind: ratelimit.VendorFault}
	default:
		return ratelimit.Verdict{Kind: ratelimit.Refused}
	}
}
