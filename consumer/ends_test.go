package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/delivery"
	"engage-worker/consumer/lease"
)

// TestLagGrowsDuringAnOutage: with no room for a second event, nothing is
// fetched; what comes meanwhile is seen in the lag.
func TestLagGrowsDuringAnOutage(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.write(source, 1, kafka.Message{Value: event(string(rune('a' + i)))})
	}
	g := r.group(zerolog.Nop(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// A generation whose streams were begun and are never run.
	gen := &generation{group: g, intake: ctx, peers: delivery.NewPeers(g.flights, nil, nil), lease: &lease.Lease{}}
	s := gen.newShard(1, map[string]map[int]int64{source: {1: 0}})
	gen.shards = []*shard{s}
	for _, st := range s.streams {
		if err := st.Begin(ctx); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); gen.followEnds(ctx, 20*time.Millisecond) }()
	lag := func() float64 {
		s.measure()
		return testutil.ToFloat64(g.parts.Metrics.Lag.WithLabelValues(g.cfg.Destination, "source", "1"))
	}
	for _, want := range []float64{3, 4} {
		for lag() != want {
			time.Sleep(5 * time.Millisecond)
		}
		r.write(source, 1, kafka.Message{Value: event("later")})
	}
	cancel()
	<-done
}
