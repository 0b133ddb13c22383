package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"
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

	// In any window of a second, not only those that a clock begins.
	var times []time.Time
	for _, m := range r.accepted() {
		times = append(times, m.ReceivedAt)
	}
	slices.SortFunc(times, time.Time.Compare)
	worst := 0
	for i := range times {
		n := 0
		for j := i; j < len(times) && times[j].Sub(times[i]) < time.Second; j++ {
			n++
		}
		worst = max(worst, n)
	}
	// A loaded machine delays requests on their way, each on its own.
	if worst > perSecond*11/10 {
		t.Errorf("%d requests within a second, of %d allowed", worst, perSecond)
	}
	seconds := r.sim.Seconds()
	full := 0
	for _, s := range seconds[1 : len(seconds)-1] {
		if s.Accepted >= perSecond*9/10 {
			full++
		}
	}
	// But for the rebalances, during which nobody owns the shards for a while.
	if full < len(seconds)/3 {
		t.Errorf("only %d of %d seconds used 90%% of the rate: %+v", full, len(seconds), seconds)
	}
}
