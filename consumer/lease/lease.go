// Package lease is the right to send for a shard, as long as nobody else can
// own it.
package lease

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Lease is an owner's right to send: it lasts until the session timeout after
// the last commit that the coordinator accepted in this generation. The
// coordinator takes a commit as a sign of life and gives a shard away only
// when it saw none for the session timeout, so a lease that holds here means
// that nobody else owns the shard. It is safe for concurrent use.
//
// Both clocks must agree that it holds: the monotonic one doesn't jump, but
// may stand still while a machine sleeps; the wall clock goes on then.
type Lease struct {
	mu    sync.Mutex
	until time.Time // with its monotonic reading
}

// Extend renews the lease to run from start, the moment before the commit was
// sent.
func (l *Lease) Extend(start time.Time, session time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = start.Add(session)
}

// End gives the lease up.
func (l *Lease) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
}

// Remaining is how long the lease holds at least; 0 when it doesn't.
func (l *Lease) Remaining(now time.Time) time.Duration {
	l.mu.Lock()
	until := l.until
	l.mu.Unlock()
	if until.IsZero() {
		return 0
	}
	return max(0, min(until.Sub(now), until.Round(0).Sub(now.Round(0))))
}

// ErrLost is why a request was given up, or didn't leave.
var ErrLost = errors.New("the lease on the shard ended")

// Under returns a context that ends with ctx, after timeout, or with the
// lease, whatever comes first. While the lease is renewed it goes on.
func (l *Lease) Under(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	ctx, lose := context.WithCancelCause(ctx)
	var mu sync.Mutex
	var timer *time.Timer
	var watch func()
	watch = func() {
		left := l.Remaining(time.Now())
		if left == 0 {
			lose(ErrLost)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() == nil {
			timer = time.AfterFunc(left, watch)
		}
	}
	watch()
	return ctx, func() {
		lose(nil)
		cancel()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
	}
}
