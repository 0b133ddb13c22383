package consumer

import (
	"context"
	"math/rand/v2"
	"time"
)

// sleep waits for d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
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

// backoff doubles from initial to max, with jitter between half and all of it.
type backoff struct {
	initial, max time.Duration
	n            int
}

func (b *backoff) next() time.Duration {
	d := b.max
	if b.initial <= b.max>>b.n { // which can't overflow
		d = b.initial << b.n
	}
	b.n++
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2)
}

func (b *backoff) reset() { b.n = 0 }
