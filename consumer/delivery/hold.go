package delivery

import (
	"errors"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/deadletter"
	"engage-worker/internal/pause"
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

// hold waits for what keeps an attempt from being made: an open breaker, an
// account or a sender that is closed, or a sender with too much to send. A retry topic takes what would hold
// others up.
func (d *delivery) hold(err error) step {
	var closed *ratelimit.ClosedError
	var open *ratelimit.OpenError
	var busy *ratelimit.BusyError
	switch {
	case errors.As(err, &busy):
		return d.holdBusy(busy)
	case errors.As(err, &closed):
		return d.holdClosed(closed)
	case !errors.As(err, &open):
		return leftOpen // intake ended
	}
	if d.blocksOthers(d.heldFor()) {
		return d.retryLater(0, d.ev.Origin.Tier, failure{reason: outcome.ReasonTwilioUnavailable, message: open.Error()})
	}
	return d.wait("breaker", open.RetryAfter)
}

// heldFor is since when the delivery has been held, in all.
func (d *delivery) heldFor() time.Duration {
	now := time.Now()
	if d.heldSince.IsZero() {
		d.heldSince = now
	}
	return now.Sub(d.heldSince)
}

// wait holds the delivery for a while, and counts it as held for a cause.
func (d *delivery) wait(cause string, until time.Duration) step {
	defer d.courier.holding(cause)()
	if !pause.For(d.parts.Intake, min(until, holdPoll)) {
		return leftOpen
	}
	return onward
}

// blocksOthers reports whether holding the delivery on keeps other regions'
// deliveries waiting: those that are read, after a few seconds, or at once when
// room is short or an event of the same key waits behind; those that may not
// be read yet, when that has gone on for as long.
func (d *delivery) blocksOthers(held time.Duration) bool {
	if !d.cfg.SeveralRegions || held == 0 {
		return false
	}
	long, pressed := held >= holdInPlace, d.parts.Pressure.UnderPressure() || d.followed()
	if !long && !pressed {
		return false
	}
	return d.parts.Peers.othersGoOn(d.gate) || long && pressed && d.parts.Peers.onlyUsed(d.gate)
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
		return onward // Acquire waits as long as Twilio asked for
	}
	d.logFailure(f)
	return d.nextTier(f)
}

// failed tries a transient failure again in place, a few times; then the next
// tier takes it.
func (d *delivery) failed(f failure, retryAfter time.Duration) step {
	d.failedNow()
	d.logFailure(f)
	if d.tries >= d.cfg.Attempts {
		return d.nextTier(f)
	}
	if d.pauses == nil {
		d.pauses = pause.Growing(d.cfg.BackoffInitial, d.cfg.BackoffMax)
	}
	wait := max(d.pauses.NextBackOff(), retryAfter)
	if wait > d.cfg.BackoffMax {
		return d.nextTier(f)
	}
	if !pause.For(d.parts.Intake, wait) {
		return leftOpen
	}
	return onward
}

func (d *delivery) failedNow() {
	d.lastFailedAt = time.Now()
	if d.firstFailedAt.IsZero() {
		d.firstFailedAt = d.lastFailedAt
	}
}

// nextTier puts the delivery into its next retry topic, or buries it after
// the last.
func (d *delivery) nextTier(f failure) step {
	tier := d.ev.Origin.Tier
	if tier < len(d.cfg.Retry) {
		return d.retryLater(tier, tier+1, f)
	}
	if f.disposition != deadletter.Ambiguous {
		f.disposition = deadletter.Exhausted
	}
	return d.bury(f)
}
