package consumer

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// TestWatchdog: a shard that has open events and settles none is reported once,
// and once more when it goes on; one with nothing to do never.
func TestWatchdog(t *testing.T) {
	var logged bytes.Buffer
	start := time.Now()
	s := &shard{id: 1, log: zerolog.New(&logged)}
	s.progress.Store(start.UnixNano())
	w := watchdog{gen: &generation{group: &Group{cfg: Config{RequestTimeout: 45 * time.Second}}}}
	look := func(after time.Duration, open int, stuck bool, lines int) {
		t.Helper()
		if got := w.stuck(s, open, start.Add(after)); got != stuck {
			t.Errorf("after %v it is stuck: %t, want %t", after, got, stuck)
		}
		if got := strings.Count(logged.String(), "\n"); got != lines {
			t.Errorf("after %v %d lines, want %d:\n%s", after, got, lines, logged.String())
		}
	}
	look(time.Hour, 0, false, 0) // nothing is open
	look(time.Hour+89*time.Second, 1, false, 0)
	look(time.Hour+91*time.Second, 1, true, 1)
	look(time.Hour+200*time.Second, 2, true, 1)
	s.progress.Store(start.Add(time.Hour + 201*time.Second).UnixNano()) // one is settled
	look(time.Hour+202*time.Second, 1, false, 2)
	look(time.Hour+300*time.Second, 1, true, 3)
}
