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

	// Guarded by gate.mu. settled: its slot is used or lost.
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
