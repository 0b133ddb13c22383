package intake

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"engage-worker/internal/metrics"
)

// TestLagIsThereOnceItIsKnown: a new owner that hasn't read yet doesn't tell
// of a lag, least of all of none.
func TestLagIsThereOnceItIsKnown(t *testing.T) {
	m := metrics.New(prometheus.NewRegistry())
	cluster := start(t, 4)
	put(t, cluster, 3, 46, wanted)
	s := New(Config{Destination: "d", Topic: topic, Name: "source", Shard: 3, Offset: 40}, Parts{Cluster: cluster, Metrics: m})
	if err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	series := func() [3]int {
		return [3]int{testutil.CollectAndCount(m.Lag), testutil.CollectAndCount(m.UncommittedSpan), testutil.CollectAndCount(m.Watermark)}
	}
	if got := series(); got != [3]int{} {
		t.Errorf("before anything is known there are %v series", got)
	}
	if s.Measure(); series() != [3]int{0, 1, 1} {
		t.Errorf("before the first answer there are %v series of lag, span and watermark", series())
	}
	if _, err := s.log.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Measure(); testutil.ToFloat64(m.Lag.WithLabelValues("d", "source", "3")) != 6 || testutil.ToFloat64(m.Watermark.WithLabelValues("d", "source", "3")) != 40 {
		t.Error("the lag isn't 6 behind the watermark of 40")
	}
	// The records are dated as they were put: just now, or the clock is ahead.
	if lag := testutil.ToFloat64(m.LagSeconds.WithLabelValues("d", "source", "3")); lag < 0 || testutil.ToFloat64(m.OldestOpen.WithLabelValues("d", "source", "3")) != 0 {
		t.Errorf("none is open, and the lag is %v s", lag)
	}
	hourAgo := time.Now().Add(-time.Hour).UnixMilli()
	s.mark.open(40, hourAgo)
	s.Measure()
	for name, gauge := range map[string]*prometheus.GaugeVec{"oldest open event": m.OldestOpen, "lag": m.LagSeconds} {
		if got := testutil.ToFloat64(gauge.WithLabelValues("d", "source", "3")); got < 3600 {
			t.Errorf("the %s is %v s, and an hour old", name, got)
		}
	}
	if s.Forget(); testutil.CollectAndCount(m.LagSeconds)+testutil.CollectAndCount(m.OldestOpen) != 0 {
		t.Error("what was given up left an age")
	}
	if series() != [3]int{} {
		t.Errorf("what was given up left %v series", series())
	}
}

// TestLagGrowsWhileNothingIsFetched: a stream that waits for room is told where
// its log ends.
func TestLagGrowsWhileNothingIsFetched(t *testing.T) {
	m := metrics.New(prometheus.NewRegistry())
	cluster := start(t, 4)
	put(t, cluster, 3, 5, wanted)
	s := New(Config{Destination: "d", Topic: topic, Name: "source", Shard: 3, Offset: 0}, Parts{Cluster: cluster, Metrics: m})
	if err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !s.EndIsOld(time.Hour) {
		t.Error("an end that was never seen isn't old")
	}
	if _, err := s.log.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.EndIsOld(time.Hour) {
		t.Error("what the broker has just said is old")
	}
	put(t, cluster, 3, 7, wanted)
	ends, err := cluster.Ends(t.Context(), topic, []int{0, 3})
	if err != nil || !slices.Equal(ends, []int64{0, 12}) {
		t.Fatalf("ends %v, %v; want 0 and 12", ends, err)
	}
	s.EndsAt(ends[1])
	if s.Measure(); testutil.ToFloat64(m.Lag.WithLabelValues("d", "source", "3")) != 12 {
		t.Error("the lag isn't 12")
	}
}
