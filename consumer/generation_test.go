package consumer

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestDrainGivesUpNothingThatIsOver: a generation that ends with nothing under
// way is drained at once, and no limit is reached afterwards.
func TestDrainGivesUpNothingThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			var logged bytes.Buffer
			ended, end := context.WithCancel(t.Context())
			end()
			gen := &generation{
				Group: &Group{Config: Config{SessionTimeout: time.Second, ShutdownTimeout: time.Minute, CommitInterval: time.Second}, log: zerolog.New(&logged)},
				ended: ended,
			}
			events := make(chan struct{})
			close(events)
			gen.drain(events, func() { t.Error("what is under way is given up") })
			time.Sleep(time.Minute)
			synctest.Wait()
			if logged.Len() > 0 {
				t.Fatalf("logged %s", logged.String())
			}
		}
	})
}

// TestDrainsLimits: what is still under way is given up after the shutdown
// timeout, and half a session after a rebalance began.
func TestDrainsLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		ended time.Duration // when the rebalance begins; 0: never
		want  time.Duration
	}{
		{"a shutdown", 0, 20 * time.Second},
		{"a rebalance during it", 3 * time.Second, 8 * time.Second},
		{"a rebalance late in it", 18 * time.Second, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended, end := context.WithCancel(t.Context())
				if c.ended > 0 {
					time.AfterFunc(c.ended, end)
				}
				gen := &generation{
					Group: &Group{Config: Config{SessionTimeout: 10 * time.Second, ShutdownTimeout: 20 * time.Second, CommitInterval: time.Hour}, log: zerolog.Nop()},
					ended: ended,
				}
				start, events := time.Now(), make(chan struct{})
				gen.drain(events, func() {
					if took := time.Since(start); took != c.want {
						t.Errorf("given up after %v, want %v", took, c.want)
					}
					close(events)
				})
				end()
			})
		})
	}
}
