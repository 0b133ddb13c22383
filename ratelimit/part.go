package ratelimit

import (
	"math"
	"time"
)

// Part is a piece of a fleet's rate, from From to To of it (0 to 1), that a
// replica has until a time. As long as the replicas' parts don't overlap,
// neither do their slots.
type Part struct {
	From, To float64
	Until    time.Time
}

// rounding is what a product of floats may lack of a whole number: 100 * 0.29
// is a little less than 29.
const rounding = 1e-9

func whole(x float64) float64 { return math.Floor(x + x*rounding) }

// slots is how many of n slots the part has. It is cut at whole slots, so that
// parts that add up to the whole rate have all of its slots.
func (p Part) slots(n int) int {
	from, to := whole(float64(n)*clamp(p.From)), whole(float64(n)*clamp(p.To))
	return int(max(to-from, 0))
}

// clamp takes what is outside of 0 to 1 for the nearest that isn't, and no
// number for 0.
func clamp(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return min(max(x, 0), 1)
}
