package pause

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	for _, c := range []struct {
		name        string
		wait, alive time.Duration
		want        time.Duration
		lasted      bool
	}{
		{"a while", time.Second, time.Hour, time.Second, true},
		{"not at all", 0, time.Hour, 0, true},
		{"a time that is over", -time.Second, time.Hour, 0, true},
		{"interrupted", time.Minute, time.Second, time.Second, false},
		{"too late for no wait", 0, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.alive)
				defer cancel()
				start := time.Now()
				if lasted := For(ctx, c.wait); lasted != c.lasted || time.Since(start) != c.want {
					t.Errorf("%t after %v, want %t after %v", lasted, time.Since(start), c.lasted, c.want)
				}
			})
		})
	}
}

// TestGrowing: what is waited is between half and all of what is meant.
func TestGrowing(t *testing.T) {
	for _, c := range []struct {
		name          string
		initial, most time.Duration
		failures      int // before
		want          time.Duration
	}{
		{"first", 200 * time.Millisecond, 10 * time.Second, 0, 200 * time.Millisecond},
		{"third", 200 * time.Millisecond, 10 * time.Second, 2, 800 * time.Millisecond},
		{"at the most", 200 * time.Millisecond, 10 * time.Second, 6, 10 * time.Second},
		{"long after", 200 * time.Millisecond, 10 * time.Second, 1000, 10 * time.Second},
		{"a long first one doesn't overflow", time.Minute, time.Hour, 29, time.Hour},
		{"the first is longer than the most", time.Minute, time.Second, 0, time.Second},
		{"none", 0, 0, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 100 {
				b := Growing(c.initial, c.most)
				for range c.failures {
					b.NextBackOff()
				}
				if got := b.NextBackOff(); got < c.want/2 || got > c.want {
					t.Fatalf("%v, want %v to %v", got, c.want/2, c.want)
				}
			}
			b := Growing(c.initial, c.most)
			b.NextBackOff()
			b.NextBackOff()
			b.Reset()
			if got := b.NextBackOff(); got > min(c.initial, c.most) {
				t.Errorf("%v after a success, want %v at most", got, c.initial)
			}
		})
	}
}
