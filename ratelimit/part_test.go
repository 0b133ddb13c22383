package ratelimit

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWorth(t *testing.T) {
	third := func(i float64) []Part { return []Part{{i / 3, (i + 1) / 3}} }
	for _, c := range []struct {
		rate  float64
		parts []Part
		want  float64
	}{
		{100, []Part{{0, 1}}, 100},
		{100, []Part{{0.29, 0.58}}, 29},
		{100, third(0), 33}, {100, third(1), 33}, {100, third(2), 34},
		{20, []Part{{0, 1. / 6}, {3. / 6, 4. / 6}}, 6}, // of 3, 3, 4, 3, 3, 4
		{20, []Part{{2. / 6, 3. / 6}, {5. / 6, 1}}, 8},
		{1.9, []Part{{0, 1}}, 1},
		{10, []Part{{0, 0.08}, {0.5, 0.58}}, 1}, // narrow ones add up
		{10, []Part{{0, 0.05}, {0.5, 0.52}}, 0.7},
		{10, []Part{{0, 0.5}, {0.5, 0.55}}, 5},
		{100, nil, 0},
		{100, []Part{{0.5, 0.5}, {0.9, 0.1}, {math.NaN(), math.NaN()}}, 0},
		{100, []Part{{-5, 7}}, 100},
		{0, []Part{{0, 1}}, 0},
	} {
		if got := worth(c.rate, c.parts); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v of %v is worth %v, want %v", c.parts, c.rate, got, c.want)
		}
	}
}

// However the shards of several destinations are spread over replicas, what
// they are worth doesn't exceed the rate; where shards are worth a message per
// second it adds up to it.
func TestWorthAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := float64(rapid.IntRange(1, 400).Draw(t, "tenths")) / 10
		replicas := make([][]Part, rapid.IntRange(1, 6).Draw(t, "replicas"))
		destinations := rapid.IntRange(1, 3).Draw(t, "destinations")
		allWide := true
		for d := range destinations {
			shards := rapid.IntRange(1, 12).Draw(t, "shards")
			for s := range shards {
				at := func(s int) float64 {
					return (float64(d) + float64(s)/float64(shards)) / float64(destinations)
				}
				r := rapid.IntRange(0, len(replicas)-1).Draw(t, "owner")
				part := Part{at(s), at(s + 1)}
				allWide = allWide && (part.To-part.From)*rate >= 1
				replicas[r] = append(replicas[r], part)
			}
		}
		total, most := 0.0, math.Floor(rate)
		for _, parts := range replicas {
			w := worth(rate, parts)
			if w != math.Floor(w) && w > 1 {
				t.Fatalf("%v of %v is worth %v, which isn't whole", parts, rate, w)
			}
			if w >= 1 {
				total += w
			}
		}
		if total > most {
			t.Fatalf("the parts of %v come to %v", rate, total)
		}
		if allWide && total != most {
			t.Fatalf("the wide parts of %v come to %v, want %v", rate, total, most)
		}
	})
}
