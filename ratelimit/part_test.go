package ratelimit

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func slotsIn(n int, parts []Part) (slots int) {
	for _, p := range parts {
		slots += p.slots(n)
	}
	return slots
}

func TestSlotsIn(t *testing.T) {
	third := func(i float64) []Part { return []Part{{From: i / 3, To: (i + 1) / 3}} }
	for _, c := range []struct {
		slots int
		parts []Part
		want  int
	}{
		{100, []Part{{From: 0, To: 1}}, 100},
		{100, []Part{{From: 0.29, To: 0.58}}, 29},
		{100, third(0), 33}, {100, third(1), 33}, {100, third(2), 34},
		{20, []Part{{From: 0, To: 1. / 6}, {From: 3. / 6, To: 4. / 6}}, 6}, // of 3, 3, 4, 3, 3, 4
		{20, []Part{{From: 2. / 6, To: 3. / 6}, {From: 5. / 6, To: 1}}, 8},
		{10, []Part{{From: 0, To: 0.08}, {From: 0.5, To: 0.58}}, 0},
		{10, []Part{{From: 0, To: 0.5}, {From: 0.5, To: 0.65}}, 6},
		{1, third(0), 0}, {1, third(1), 0}, {1, third(2), 1},
		{100, nil, 0},
		{100, []Part{{From: 0.5, To: 0.5}, {From: 0.9, To: 0.1}, {From: math.NaN(), To: math.NaN()}}, 0},
		{100, []Part{{From: -5, To: 7}}, 100},
		{0, []Part{{From: 0, To: 1}}, 0},
	} {
		if got := slotsIn(c.slots, c.parts); got != c.want {
			t.Errorf("%v of %d are %d slots, want %d", c.parts, c.slots, got, c.want)
		}
	}
}

// However the shards of several destinations are spread over replicas, all
// slots are somebody's, and none is another's too.
func TestSlotsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(0, 200).Draw(t, "slots")
		replicas := make([][]Part, rapid.IntRange(1, 6).Draw(t, "replicas"))
		destinations := rapid.IntRange(1, 3).Draw(t, "destinations")
		for d := range destinations {
			shards := rapid.IntRange(1, 12).Draw(t, "shards")
			for s := range shards {
				at := func(s int) float64 {
					return (float64(d) + float64(s)/float64(shards)) / float64(destinations)
				}
				r := rapid.IntRange(0, len(replicas)-1).Draw(t, "owner")
				replicas[r] = append(replicas[r], Part{From: at(s), To: at(s + 1)})
			}
		}
		total := 0
		for _, parts := range replicas {
			total += slotsIn(slots, parts)
		}
		if total != slots {
			t.Fatalf("the parts of %d slots have %d", slots, total)
		}
	})
}
