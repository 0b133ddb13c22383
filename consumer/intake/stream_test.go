package intake

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWhenARetryIsDue: when it says so, but not later than a tier's delay after
// it is seen, whatever the clock of its writer said, also for those behind it.
func TestWhenARetryIsDue(t *testing.T) {
	const delay = 30 * time.Second
	for _, c := range []struct {
		name  string
		ahead time.Duration // the writer's clock
		since time.Duration // it was written so long ago
		want  time.Duration // from now
	}{
		{"just written", 0, 0, delay},
		{"written a while ago", 0, 20 * time.Second, 10 * time.Second},
		{"long due", 0, time.Hour, 0},
		{"a clock that is behind", -10 * time.Second, 0, 20 * time.Second},
		{"a clock that is ahead", time.Hour, 0, delay},
		{"a clock that is ahead, a while ago", time.Hour, 20 * time.Second, delay},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Stream{cfg: Config{Delay: delay}}
				start := time.Now()
				written := start.Add(c.ahead - c.since)
				for offset := range int64(10) {
					time.Sleep(time.Until(s.due(offset, 10, written.Add(delay))))
				}
				if took := time.Since(start); took != c.want {
					t.Errorf("ten of them were due after %v, want %v", took, c.want)
				}
			})
		})
	}
}
