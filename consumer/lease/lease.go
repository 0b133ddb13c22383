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
	held  *held     // the last of them; nil before the first
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
	defer l.mu.Unlock()
	return l.remaining(now)
}

func (l *Lease) remaining(now time.Time) time.Duration {
	if l.until.IsZero() {
		return 0
	}
	return max(0, min(l.until.Sub(now), l.until.Round(0).Sub(now.Round(0))))
}

// ErrLost is why a request was given up, or didn't leave.
var ErrLost = errors.New("the lease on the shard ended")

// Under returns a context that ends with ctx, after timeout, or with the
// lease, whatever comes first. While the lease is renewed it goes on. What begins at
// about the same time shares it, so that it may end a little before timeout, by a 64th of it.
func (l *Lease) Under(ctx context.Context, timeout time.Duration) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, now := l.hold(ctx), time.Now()
	if h.limited == nil || h.timeout != timeout || now.Sub(h.begun) > timeout/64 {
		limited, cancel := context.WithDeadline(h.ctx, now.Add(timeout))
		context.AfterFunc(limited, cancel)
		h.limited, h.timeout, h.begun = limited, timeout, now
	}
	return h.limited
}

// hold is what goes on in ctx under the lease, with one timer for all of it. The
// caller holds mu.
func (l *Lease) hold(ctx context.Context) *held {
	left := l.remaining(time.Now())
	if h := l.held; h != nil && h.of == ctx && h.ctx.Err() == nil {
		if left == 0 { // and the timer is late, as after a freeze
			h.lose(ErrLost)
		}
		return h
	}
	h := &held{of: ctx}
	h.ctx, h.lose = context.WithCancelCause(ctx)
	if l.held = h; left == 0 {
		h.lose(ErrLost)
		return h
	}
	h.timer = time.AfterFunc(left, func() { l.watch(h) })
	context.AfterFunc(h.ctx, func() { h.timer.Stop() })
	return h
}

// held is what goes on under a lease.
type held struct {
	of, ctx context.Context
	lose    context.CancelCauseFunc
	timer   *time.Timer

	limited context.Context // ctx for at most timeout since begun; nil before the first
	timeout time.Duration
	begun   time.Time
}

// watch ends what goes on when the lease has ended, and else looks again when it would end.
func (l *Lease) watch(h *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := l.remaining(time.Now()); left == 0 {
		h.lose(ErrLost)
	} else if h.ctx.Err() == nil {
		h.timer.Reset(left)
	}
}
