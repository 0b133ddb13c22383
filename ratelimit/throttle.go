package ratelimit

import (
	"math/rand/v2"
	"time"
)

const (
	maxPause     = 60 * time.Second
	firstPause   = 500 * time.Millisecond
	longestGuess = 30 * time.Second // of a pause that the vendor didn't name
)

// throttle is how a region answers the vendor's wish to slow down: a pause,
// and fewer requests in flight, which successes raise again step by step. It
// is not safe for concurrent use.
type throttle struct {
	max    int     // requests in flight when all is well, at least 1
	limit  float64 // requests in flight now, 1 to max
	until  time.Time
	cutAt  time.Time // of the last cut
	inARow int       // cuts without a success in between
}

func newThrottle(maxInFlight int) throttle {
	maxInFlight = max(maxInFlight, 1)
	return throttle{max: maxInFlight, limit: float64(maxInFlight)}
}

// inFlight is how many requests may be in flight.
func (t *throttle) inFlight() int { return int(t.limit) }

// slowDown takes a throttled answer to a request that left at sent while
// inFlight requests, itself included, were under way. A round of requests
// cuts once, however many of it are throttled. It reports whether this cut.
func (t *throttle) slowDown(now, sent time.Time, retryAfter time.Duration, inFlight int) bool {
	first := t.cutAt.IsZero() || sent.After(t.cutAt)
	if first {
		t.cutAt = now
		t.inARow++
		t.limit = max(1, min(t.limit, float64(inFlight))/2)
	}
	switch {
	case retryAfter > 0:
		t.pause(now.Add(min(retryAfter, maxPause)))
	case first:
		guess := min(firstPause<<min(t.inARow-1, 10), longestGuess)
		t.pause(now.Add(guess + rand.N(guess/2))) // apart from the other replicas
	}
	return first
}

func (t *throttle) pause(until time.Time) {
	if until.After(t.until) {
		t.until = until
	}
}

// succeeded raises the limit by about one per round of successes, as TCP
// does. Answers to requests from before the last cut say nothing of it.
func (t *throttle) succeeded(sent time.Time) {
	if t.limit >= float64(t.max) && t.inARow == 0 {
		return
	}
	if !sent.After(t.cutAt) {
		return
	}
	t.inARow = 0
	t.limit = min(t.limit+1/t.limit, float64(t.max))
}
