package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// TestRateHolds: a region's rate is the fleet's, in every second, with one
// replica and with three, and through the rebalances between; and it is used.
func TestRateHolds(t *testing.T) {
	t.Parallel()
	const perSecond = 90
	r := newRig(t, settings{
		partitions: 9,
		regions:    fmt.Sprintf("  us-west-2: {rate: %d, burst: %d, maxInFlight: 64}\n", perSecond, perSecond),
	})
	r.produce(people(5000, "")...)
	r.start()
	accepted := func(n int) {
		t.Helper()
		r.await(60*time.Second, func() error {
			if got := r.sim.Stats().Accepted; got < uint64(n) {
				return fmt.Errorf("%d accepted, waiting for %d", got, n)
			}
			return nil
		})
	}
	accepted(5 * perSecond)
	second, third := r.start(), r.start()
	accepted(12 * perSecond)
	second.stop()
	third.stop()
	accepted(15 * perSecond)

	// The gates' own tests hold them to any window of a second, on a clock
	// that doesn't stall. Here a loaded machine may keep requests back on
	// their way and let them through together, so windows are longer.
	const window = 4
	var times []time.Time
	for _, m := range r.accepted() {
		times = append(times, m.ReceivedAt)
	}
	slices.SortFunc(times, time.Time.Compare)
	if worst := most(times, window*time.Second); worst > window*perSecond*115/100 {
		t.Errorf("%d requests within %d seconds, of %d allowed in each", worst, window, perSecond)
	}
	// That the rate is used in each second is for the gates' own tests to say: a
	// loaded machine keeps requests back. A replica's third alone is less than this.
	if best := most(times, time.Second); best < perSecond*2/3 {
		t.Errorf("the best second had %d requests, of %d allowed", best, perSecond)
	}
}

// TestTheRateGoesWhereTheLoadIs: with all load in one partition of twelve, a
// replica of three uses what the others don't need.
func TestTheRateGoesWhereTheLoadIs(t *testing.T) {
	t.Parallel()
	const perSecond, events = 60, 600
	r := newRig(t, settings{
		partitions: 12,
		regions:    fmt.Sprintf("  us-west-2: {rate: %d, maxInFlight: 64}\n", perSecond),
	})
	replicas := []*replica{r.start(), r.start(), r.start()}
	r.awaitShared(replicas, 4)
	w := r.writerTo(func() int { return 7 })
	if err := w.WriteMessages(t.Context(), people(events, "")...); err != nil {
		t.Fatal(err)
	}
	r.awaitDone(120 * time.Second)
	r.onceEach(events)
	var times []time.Time
	for _, m := range r.accepted() {
		times = append(times, m.ReceivedAt)
	}
	slices.SortFunc(times, time.Time.Compare)
	// Alone, the shard's owner would have a third. A loaded machine may stand
	// still for a while, but not all of the time.
	const window = 3
	if best := most(times, window*time.Second); best < window*perSecond*2/3 {
		t.Errorf("the best %d seconds had %d requests, at %d/s", window, best, perSecond)
	}
	if least := events/perSecond - 1; times[len(times)-1].Sub(times[0]) < time.Duration(least)*time.Second {
		t.Errorf("%d messages within %v at %d/s", events, times[len(times)-1].Sub(times[0]), perSecond)
	}
}

// awaitShared waits until each replica owns so many shards.
func (r *rig) awaitShared(replicas []*replica, each int) {
	r.t.Helper()
	r.await(60*time.Second, func() error {
		for _, replica := range replicas {
			if s := replica.Groups()[0].State(); s.Owned != each {
				return fmt.Errorf("owns %d shards, not %d", s.Owned, each)
			}
		}
		return nil
	})
}

// writerTo writes to the partition that is to be at each moment.
func (r *rig) writerTo(partition func() int) *kafka.Writer {
	w := &kafka.Writer{
		Addr: r.client.Addr, Transport: r.client.Transport, Topic: r.topic, RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond, BatchSize: 500,
		Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return partition() }),
	}
	r.t.Cleanup(func() { w.Close() })
	return w
}
