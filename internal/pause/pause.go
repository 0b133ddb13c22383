// Package pause waits: for a time, and for a longer one after each failure.
package pause

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// For waits for d and reports whether ctx lasted. A d that isn't positive
// doesn't wait.
func For(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Growing are pauses that double from initial to most, each somewhere between
// half and all of that, so that those who failed together don't come back
// together. It is not safe for concurrent use.
func Growing(initial, most time.Duration) *backoff.ExponentialBackOff {
	// The library spreads a pause around its middle: 3/4 of the longest, by a
	// third of it.
	b := &backoff.ExponentialBackOff{InitialInterval: min(initial, most) / 4 * 3, MaxInterval: most / 4 * 3, Multiplier: 2, RandomizationFactor: 1.0 / 3}
	b.Reset()
	return b
}
