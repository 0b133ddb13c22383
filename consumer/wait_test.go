package consumer

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		name    string
		backoff backoff
		want    time.Duration // at most, and at least half of it
	}{
		{"first", backoff{initial: 200 * time.Millisecond, max: 10 * time.Second}, 200 * time.Millisecond},
		{"third", backoff{initial: 200 * time.Millisecond, max: 10 * time.Second, n: 2}, 800 * time.Millisecond},
		{"at the most", backoff{initial: 200 * time.Millisecond, max: 10 * time.Second, n: 6}, 10 * time.Second},
		{"long after", backoff{initial: 200 * time.Millisecond, max: 10 * time.Second, n: 1000}, 10 * time.Second},
		{"a long first one doesn't overflow", backoff{initial: time.Minute, max: time.Hour, n: 29}, time.Hour},
		{"longer than the most", backoff{initial: time.Minute, max: time.Second}, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 100 {
				b := c.backoff
				if got := b.next(); got < c.want/2 || got > c.want {
					t.Fatalf("%v, want %v to %v", got, c.want/2, c.want)
				}
			}
		})
	}
	if got := (&backoff{}).next(); got != 0 {
		t.Errorf("no backoff waits %v", got)
	}
}
