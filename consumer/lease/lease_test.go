package lease

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLeaseRemaining(t *testing.T) {
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	var l Lease
	remaining := func(now time.Time, want time.Duration) {
		t.Helper()
		if got := l.Remaining(now); got != want {
			t.Errorf("%v after its start it holds for %v, want %v", now.Sub(start), got, want)
		}
	}
	remaining(start, 0) // nobody gave it yet
	l.Extend(start, 10*time.Second)
	remaining(start, 10*time.Second)
	remaining(at(9999*time.Millisecond), time.Millisecond)
	remaining(at(10*time.Second), 0)
	remaining(at(time.Hour), 0)
	// The wall clock alone, as after a machine slept: it says that time went by.
	remaining(at(11*time.Second).Round(0), 0)
	l.Extend(at(5*time.Second), 10*time.Second)
	remaining(at(10*time.Second), 5*time.Second)
	l.End()
	remaining(at(10*time.Second), 0)
}

// TestUnderTheLease: what is done under a lease ends with it, when it isn't
// renewed; and with its own time, and with what it is part of.
func TestUnderTheLease(t *testing.T) {
	const session = 10 * time.Second
	for _, c := range []struct {
		name    string
		renewed []time.Duration // after the start
		timeout time.Duration
		work    time.Duration // how long it is worked at all
		want    time.Duration
		err     error
	}{
		{"not renewed", nil, time.Minute, time.Hour, session, context.Canceled},
		{"renewed once", []time.Duration{4 * time.Second}, time.Minute, time.Hour, 14 * time.Second, context.Canceled},
		{"renewed again and again", []time.Duration{5 * time.Second, 14 * time.Second, 20 * time.Second, 29 * time.Second}, 30 * time.Second, time.Hour, 30 * time.Second, context.DeadlineExceeded},
		{"renewed too late", []time.Duration{11 * time.Second}, time.Minute, time.Hour, session, context.Canceled},
		{"a short request", nil, 3 * time.Second, time.Hour, 3 * time.Second, context.DeadlineExceeded},
		{"given up", nil, time.Minute, 2 * time.Second, 2 * time.Second, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				l := &Lease{}
				l.Extend(start, session)
				for _, at := range c.renewed {
					time.AfterFunc(at, func() { l.Extend(time.Now(), session) })
				}
				work, stop := context.WithTimeout(t.Context(), time.Hour)
				defer stop()
				time.AfterFunc(c.work, stop)
				ctx := l.Under(work, c.timeout)
				if err := ctx.Err(); err != nil {
					t.Errorf("at once: %v", err)
				}
				<-ctx.Done()
				if took := time.Since(start); took != c.want || !errors.Is(ctx.Err(), c.err) {
					t.Errorf("ended after %v with %v, want %v, %v", took, ctx.Err(), c.want, c.err)
				}
			})
		})
	}
	t.Run("at different times", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, start := &Lease{}, time.Now()
			l.Extend(start, time.Hour)
			ended := func(ctx context.Context, want time.Duration) {
				t.Helper()
				if <-ctx.Done(); time.Since(start) != want {
					t.Errorf("ended after %v, want %v", time.Since(start), want)
				}
			}
			long := l.Under(t.Context(), time.Minute)
			if l.Under(t.Context(), time.Minute) != long {
				t.Error("two that begin at once don't share it")
			}
			time.Sleep(2 * time.Second)
			later := l.Under(t.Context(), time.Minute)
			short := l.Under(t.Context(), time.Second)
			ended(short, 3*time.Second)
			ended(long, time.Minute)
			ended(later, time.Minute+2*time.Second)
		})
	})
	t.Run("without one", func(t *testing.T) {
		ctx := (&Lease{}).Under(t.Context(), time.Minute)
		if ctx.Err() == nil {
			t.Error("it goes on")
		}
	})
	t.Run("after another was lost", func(t *testing.T) {
		l := &Lease{}
		l.Extend(time.Now().Add(-time.Hour), time.Minute)
		lost := l.Under(t.Context(), time.Minute)
		l.Extend(time.Now(), time.Hour)
		ctx := l.Under(t.Context(), time.Minute)
		if !errors.Is(context.Cause(lost), ErrLost) || ctx.Err() != nil {
			t.Errorf("the lost one: %v; the present one: %v", context.Cause(lost), ctx.Err())
		}
	})
	t.Run("after a freeze", func(t *testing.T) { // no timer has fired yet
		l := &Lease{}
		l.Extend(time.Now(), time.Hour)
		before := l.Under(t.Context(), time.Minute)
		l.Extend(time.Now().Add(-2*time.Hour), time.Hour)
		after := l.Under(t.Context(), time.Minute)
		for _, ctx := range []context.Context{before, after} {
			if !errors.Is(context.Cause(ctx), ErrLost) {
				t.Errorf("it goes on: %v", context.Cause(ctx))
			}
		}
	})
}
