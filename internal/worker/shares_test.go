package worker

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// TestSharesThatChange: what is owned counts until its time is over, and what was
// counted goes on while more is gained.
func TestSharesThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := ratelimit.NewGates(map[string]ratelimit.Config{"us": {Rate: 100, Burst: 1, MaxInFlight: 1}}, ratelimit.Config{}, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
		s := &shares{gates: gates, exchange: ratelimit.NewExchange("me", gates, nil, zerolog.Nop()), of: map[string]destinationShare{}}
		s.add("d", []string{"us"})
		set := func(total int, owned ...int) { s.set("d", owned, total, time.Now().Add(10*time.Second)) }
		home := func(want int) {
			t.Helper()
			if got := gates.Snapshots()[0].Home; got != want {
				t.Errorf("%d slots are its own, want %d", got, want)
			}
		}
		set(4, 0, 1)
		synctest.Wait()
		home(50)
		time.Sleep(9 * time.Second)
		set(4, 0, 1)
		home(50)
		time.Sleep(9 * time.Second)
		home(50)
		set(4, 1, 2, 3)
		synctest.Wait()
		home(75)
		set(5, 1, 2, 3)
		synctest.Wait()
		home(60)
		time.Sleep(10 * time.Second)
		home(0)
		set(5, 1, 2, 3)
		synctest.Wait()
		home(60)
		s.set("d", nil, 0, time.Time{})
		home(0)
	})
}

// TestPartsAreTheWholeRate: over all replicas, each piece of each region's
// rate has one owner.
func TestPartsAreTheWholeRate(t *testing.T) {
	replicas := []map[string]destinationShare{
		{"a": {regions: []string{"us"}, counted: []int{0, 3, 4}, total: 5}, "b": {regions: []string{"us", "eu"}, counted: []int{0}, total: 2}, "c": {regions: []string{"us", "eu", "elsewhere"}, counted: []int{0, 1, 2}, total: 3}},
		{"a": {regions: []string{"us"}, counted: []int{1, 2}, total: 5}, "b": {regions: []string{"us", "eu"}, counted: []int{1}, total: 2}, "c": {regions: []string{"us", "eu", "elsewhere"}}},
	}
	for _, region := range []string{"us", "eu", "elsewhere"} {
		var all []ratelimit.Part
		for _, r := range replicas {
			all = append(all, partsOf(region, r)...)
		}
		slices.SortFunc(all, func(a, b ratelimit.Part) int { return int(1e9 * (a.From - b.From)) })
		end := 0.0
		for _, p := range all {
			if math.Abs(p.From-end) > 1e-9 || p.To <= p.From {
				t.Fatalf("%s: %v follows what ends at %v: %v", region, p, end, all)
			}
			end = p.To
		}
		if math.Abs(end-1) > 1e-9 {
			t.Errorf("%s: the parts end at %v: %v", region, end, all)
		}
	}
	if parts := partsOf("us", replicas[0]); len(parts) != 4 { // a has two, as 3 and 4 are side by side
		t.Errorf("shards side by side are %v", parts)
	}
	if parts := partsOf("us", map[string]destinationShare{"a": {regions: []string{"eu"}, counted: []int{0}, total: 1}}); len(parts) != 0 {
		t.Errorf("a region that nobody sends to has parts %v", parts)
	}
	if parts := partsOf("us", map[string]destinationShare{"a": {regions: []string{"us"}, counted: []int{0}}}); len(parts) != 0 {
		t.Errorf("shards of an unknown number have parts %v", parts)
	}
}
