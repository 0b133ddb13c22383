package ratelimit

import (
	"errors"
	"time"
)

// ErrLost is why a request didn't leave: what the replica had of the rate was
// lost after its permit was given.
var ErrLost = errors.New("the replica's part of the rate is lost")

// VerdictKind is what a request's answer means for its region.
type VerdictKind uint8

const (
	// Delivered: the vendor accepted the message.
	Delivered VerdictKind = iota + 1
	// Refused: the vendor works and refused this message (its own 4xx).
	// For the region that is a success.
	Refused
	// VendorFault: the vendor failed (5xx, timeout, no connection). Only
	// this counts against the breaker.
	VendorFault
	// Throttled: the vendor asked to slow down (429). It slows the region
	// and never counts against the breaker.
	Throttled
	// Abandoned: nothing was learnt of the vendor (cancelled, not sent
	// after all). It counts for nothing.
	Abandoned
)

// Verdict is the outcome of one request.
type Verdict struct {
	Kind VerdictKind
	// RetryAfter is what a Throttled answer asked for; 0 if nothing.
	RetryAfter time.Duration
}

// Permit allows one request. Its holder calls Start right before the request
// leaves, and must call Done.
type Permit struct {
	gate    *Gate
	granted time.Time
	ticket  ticket

	sender *sender // nil, or whose slots it has, too
	slots  int     // of the sender's
	uses   int     // of these

	// Guarded by gate.mu. settled: its slots are used or lost.
	started, settled, done bool
}

// Start says that the request leaves now, and reports whether it may. The rate
// counts the request from this moment, so that what the holder does before,
// however long it takes, can't bring requests together. What the replica had
// of the rate may have been lost meanwhile; then the permit is to be Done as
// Abandoned, and another to be asked for. A permit that is Done without Start
// was started then, unless it is Abandoned, which gives it back to the rate.
func (p *Permit) Start() bool { return p.gate.start(p) }

// Done returns the permit with what came of the request. Only the first call
// counts.
func (p *Permit) Done(v Verdict) { p.gate.done(p, v) }

// settle uses the permit's slots, and reports whether they could be used.
func (p *Permit) settle(now time.Time) bool {
	p.settled = true
	region := &p.gate.pacer.slots
	if region.lost() || p.sender != nil && p.sender.pacer.slots.lost() {
		p.giveBack()
		return false
	}
	region.start(1, 1, now)
	if p.sender != nil {
		p.sender.pacer.slots.start(p.slots, p.uses, now)
	}
	return true
}

// giveBack returns the permit's slots unused.
func (p *Permit) giveBack() {
	p.gate.pacer.slots.giveBack(1)
	if p.sender != nil {
		p.sender.pacer.slots.giveBack(p.slots)
	}
}

// start uses a permit's slots from now on, unless they were lost.
func (g *Gate) start(p *Permit) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.started || p.done {
		return p.started
	}
	now := time.Now()
	g.settle(now) // the process may have been frozen for longer than a loan lasts
	if p.sender != nil {
		p.sender.settle(now)
	}
	p.started = p.settle(now)
	g.advance(now) // who waits may know now for how long
	return p.started
}

// done takes a permit back.
func (g *Gate) done(p *Permit, v Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.done {
		return
	}
	p.done = true
	now := time.Now()
	switch asked := v.Kind >= Delivered && v.Kind <= Throttled; {
	case p.settled:
	case asked:
		p.settle(now)
	default:
		p.giveBack()
	}
	switch v.Kind {
	case Delivered, Refused:
		g.breaker.ended(p.ticket, nil)
		g.throttle.succeeded(p.granted)
	case VendorFault:
		g.breaker.ended(p.ticket, errVendorFault)
	case Throttled:
		g.breaker.ended(p.ticket, errExcluded)
		g.meters.throttled.Inc()
		if g.throttle.slowDown(now, p.granted, v.RetryAfter, g.inFlight) {
			g.log.Warn().Dur("pause", g.throttle.until.Sub(now)).Int("in_flight_limit", g.throttle.inFlight()).
				Msg("throttled: the region pauses and goes on with fewer requests in flight")
		}
	default:
		g.breaker.ended(p.ticket, errExcluded)
	}
	g.inFlight--
	g.advance(now)
}
