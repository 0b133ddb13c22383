package worker

import (
	"math"
	"slices"
	"testing"

	"engage-worker/ratelimit"
)

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
	if parts := partsOf("us", map[string]destinationShare{"a": {regions: []string{"eu"}, counted: []int{0}, total: 1}}); len(parts) != 0 {
		t.Errorf("a region that nobody sends to has parts %v", parts)
	}
	if parts := partsOf("us", map[string]destinationShare{"a": {regions: []string{"us"}, counted: []int{0}}}); len(parts) != 0 {
		t.Errorf("shards of an unknown number have parts %v", parts)
	}
}
