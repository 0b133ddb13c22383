package ratelimit

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	failureWindow = 10 * time.Second
	failureBucket = time.Second
	// probeWait is what a caller is told while the probes are under way.
	probeWait = 500 * time.Millisecond
)

var (
	errVendorFault = errors.New("vendor fault")
	errExcluded    = errors.New("says nothing of the vendor")
)

// State is a circuit breaker's.
type State uint8

const (
	Closed   State = iota + 1 // everything passes
	HalfOpen                  // a few probes pass
	Open                      // nothing passes
)

func (s State) String() string {
	return [...]string{"", "closed", "half-open", "open"}[s]
}

// breaker is gobreaker's, told of vendor faults, successes and nothing else.
// It is not safe for concurrent use.
type breaker struct {
	config    BreakerConfig
	cb        *gobreaker.TwoStepCircuitBreaker[struct{}]
	last      State // that it changed to
	openUntil time.Time
	changes   uint64 // of the state: results from before the last one don't count
	faults    uint32 // in a row since then
}

// newBreaker is closed. changed is called at each change, from within the
// call that causes it, and must not call the breaker.
func newBreaker(region string, config BreakerConfig, changed func(from, to State)) *breaker {
	config.MinRequests = max(config.MinRequests, 1)
	config.HalfOpenRequests = max(config.HalfOpenRequests, 1)
	if config.OpenFor <= 0 {
		config.OpenFor = time.Second
	}
	b := &breaker{config: config, last: Closed}
	b.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         region,
		MaxRequests:  config.HalfOpenRequests,
		Interval:     failureWindow,
		BucketPeriod: failureBucket,
		Timeout:      config.OpenFor,
		ReadyToTrip:  b.readyToTrip,
		IsExcluded:   func(err error) bool { return errors.Is(err, errExcluded) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			b.changes++
			b.faults, b.last = 0, stateOf(to)
			if to == gobreaker.StateOpen {
				b.openUntil = time.Now().Add(config.OpenFor)
			}
			changed(stateOf(from), stateOf(to))
		},
	})
	return b
}

func stateOf(s gobreaker.State) State {
	switch s {
	case gobreaker.StateOpen:
		return Open
	case gobreaker.StateHalfOpen:
		return HalfOpen
	default:
		return Closed
	}
}

// readyToTrip counts requests that ended; those under way say nothing yet.
func (b *breaker) readyToTrip(c gobreaker.Counts) bool {
	if b.faults >= b.config.MinRequests {
		return true
	}
	ended := c.TotalSuccesses + c.TotalFailures
	return ended >= b.config.MinRequests && float64(c.TotalFailures) >= b.config.FailureRatio*float64(ended)
}

// state is the breaker's. A closed one changes with what ended tells alone;
// gobreaker looks at the time before it says so.
func (b *breaker) state() State {
	if b.last == Closed {
		return Closed
	}
	return stateOf(b.cb.State())
}

// refusesFor returns how long a caller must hold, or 0 if it may queue behind
// waiting others.
func (b *breaker) refusesFor(now time.Time, waiting int) time.Duration {
	switch b.state() {
	case Open:
		return max(b.openUntil.Sub(now), 0) + time.Millisecond // gobreaker opens after the time, not at it
	case HalfOpen:
		counts := b.cb.Counts()
		probes := int(counts.Requests) - int(counts.TotalExclusions)
		if probes+waiting >= int(b.config.HalfOpenRequests) {
			return probeWait
		}
	}
	return 0
}

// ticket is a request that the breaker let through.
type ticket struct {
	report  func(error) // gobreaker's second step
	changes uint64      // when it was let through
}

// allow lets one request through; ended must be called for it. ok is false
// when the breaker refuses.
func (b *breaker) allow() (t ticket, ok bool) {
	report, err := b.cb.Allow()
	return ticket{report: report, changes: b.changes}, err == nil
}

// ended tells what came of a request: nil, errVendorFault or errExcluded.
func (b *breaker) ended(t ticket, err error) {
	if t.changes == b.changes {
		switch {
		case err == nil:
			b.faults = 0
		case errors.Is(err, errVendorFault):
			b.faults++
		}
	}
	t.report(err)
}
