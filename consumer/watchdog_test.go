package consumer

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

// TestWatchdog: a shard that has open events and settles none is reported once,
// and once more when it goes on; one with nothing to do never.
func TestWatchdog(t *testing.T) {
	var logged bytes.Buffer
	m := metrics.New(prometheus.NewRegistry())
	gen := &generation{Group: &Group{Config: Config{Destination: "d", RequestTimeout: 45 * time.Second}, metrics: m}}
	start := time.Now()
	busy, idle := &shard{generation: gen, id: 1, log: zerolog.New(&logged)}, &shard{generation: gen, id: 2, log: zerolog.New(&logged)}
	for _, s := range []*shard{busy, idle} {
		st := s.newStream("events", "source", 0, map[int]int64{s.id: 0})
		st.mark = newWatermark(0)
		s.streams = []*stream{st}
		s.progress.Store(start.UnixNano())
	}
	gen.shards = []*shard{busy, idle}
	mark := busy.streams[0].mark
	w := watchdog{gen: gen}
	look := func(after time.Duration, stuck float64, lines int) {
		t.Helper()
		w.look(start.Add(after))
		if got := testutil.ToFloat64(m.StuckShards.WithLabelValues("d")); got != stuck {
			t.Errorf("after %v %v shards are stuck, want %v", after, got, stuck)
		}
		if got := strings.Count(logged.String(), "\n"); got != lines {
			t.Errorf("after %v %d lines, want %d:\n%s", after, got, lines, logged.String())
		}
	}
	look(time.Hour, 0, 0) // nothing is open
	ticket := mark.open(0)
	look(time.Hour+89*time.Second, 0, 0)
	look(time.Hour+91*time.Second, 1, 1)
	look(time.Hour+200*time.Second, 1, 1)
	mark.open(1)
	mark.done(ticket)
	busy.progress.Store(start.Add(time.Hour + 201*time.Second).UnixNano())
	look(time.Hour+202*time.Second, 0, 2)
	look(time.Hour+300*time.Second, 1, 3)
}

// TestLagIsThereOnceItIsKnown: a new owner that hasn't read yet doesn't tell
// of a lag, least of all of none.
func TestLagIsThereOnceItIsKnown(t *testing.T) {
	m := metrics.New(prometheus.NewRegistry())
	gen := &generation{Group: &Group{Config: Config{Destination: "d"}, metrics: m}}
	s := &shard{generation: gen, id: 3}
	st := s.newStream("events", "source", 0, map[int]int64{3: 40})
	s.streams, gen.shards = []*stream{st}, []*shard{s}
	st.mark = newWatermark(40)
	series := func() [3]int {
		return [3]int{testutil.CollectAndCount(m.Lag), testutil.CollectAndCount(m.UncommittedSpan), testutil.CollectAndCount(m.Watermark)}
	}
	if got := series(); got != [3]int{} {
		t.Errorf("before anything is known there are %v series", got)
	}
	if st.measure(); series() != [3]int{0, 1, 1} {
		t.Errorf("before the first answer there are %v series of lag, span and watermark", series())
	}
	st.end.Store(46)
	if st.measure(); testutil.ToFloat64(m.Lag.WithLabelValues("d", "source", "3")) != 6 || testutil.ToFloat64(m.Watermark.WithLabelValues("d", "source", "3")) != 40 {
		t.Error("the lag isn't 6 behind the watermark of 40")
	}
	if gen.forgetGauges(); series() != [3]int{} {
		t.Errorf("what was given up left %v series", series())
	}
}
