package ratelimit

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestShareInForce(t *testing.T) {
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	s := newShare()
	for _, c := range []struct {
		when time.Duration
		set  float64 // negative: nothing is set
		want float64
		next time.Duration // 0: never
	}{
		{when: 0, set: -1, want: 0},
		{when: 0, set: 0.5, want: 0, next: Window},
		{when: Window - 1, set: -1, want: 0, next: Window},
		{when: Window, set: -1, want: 0.5},
		// The same again changes nothing.
		{when: 2 * time.Second, set: 0.5, want: 0.5},
		// Two rises in a row come one after the other.
		{when: 3000 * time.Millisecond, set: 0.75, want: 0.5, next: 3000*time.Millisecond + Window},
		{when: 3500 * time.Millisecond, set: 1, want: 0.5, next: 3000*time.Millisecond + Window},
		{when: 4100 * time.Millisecond, set: -1, want: 0.75, next: 3500*time.Millisecond + Window},
		// A fall holds at once, and outlasts the rise after it.
		{when: 4200 * time.Millisecond, set: 0.25, want: 0.25},
		{when: 4300 * time.Millisecond, set: 1, want: 0.25, next: 4300*time.Millisecond + Window},
		{when: 4300*time.Millisecond + Window, set: -1, want: 1},
		{when: 6 * time.Second, set: 0, want: 0},
		{when: 6 * time.Second, set: 1, want: 0, next: 6*time.Second + Window},
		{when: 8 * time.Second, set: -1, want: 1},
	} {
		if c.set >= 0 {
			s.set(c.set, at(c.when))
		}
		var next time.Time
		if c.next != 0 {
			next = at(c.next)
		}
		if got, gotNext := s.inForce(at(c.when)); got != c.want || !gotNext.Equal(next) {
			t.Fatalf("at %v: in force %v until %v, want %v until %v", c.when, got, gotNext, c.want, next)
		}
	}
}

// The share in force is the least that was held during the last window.
func TestShareIsLeastOfWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Now()
		type held struct {
			value float64
			since time.Time
		}
		history := []held{{0, start.Add(-time.Hour)}}
		s, now := newShare(), start
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "ms")) * time.Millisecond)
			if rapid.Bool().Draw(t, "set") {
				value := float64(rapid.IntRange(0, 10).Draw(t, "tenths")) / 10
				s.set(value, now)
				history = append(history, held{value, now})
			}
			want := math.Inf(1)
			for i, h := range history {
				// The window is open at its old end: what was given up exactly
				// a window ago was not used since.
				if i+1 == len(history) || history[i+1].since.After(now.Add(-Window)) {
					want = min(want, h.value)
				}
			}
			if got, _ := s.inForce(now); got != want {
				t.Fatalf("in force %v, want %v", got, want)
			}
			if len(s.steps) > 11 {
				t.Fatalf("%d steps kept for 11 different values", len(s.steps))
			}
		}
	})
}
