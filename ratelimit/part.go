package ratelimit

import "math"

// Part is a piece of a fleet's rate, from From to To of it (0 to 1). A fleet
// whose replicas hold parts that don't overlap holds the rate, and uses it
// better than by fractions: what rounding takes from one part it gives to
// its neighbour, so that the parts add up to the whole rate.
type Part struct{ From, To float64 }

// rounding is what a product of floats may lack of a whole number: 100 * 0.29
// is a little less than 29.
const rounding = 1e-9

func whole(x float64) float64 { return math.Floor(x + x*rounding) }

// worth is how many messages per second parts of the rate come to. Above one
// it is a whole number.
//
// A part that is worth a message per second or more is cut at the whole
// messages of the rate; all such parts add up to it. Narrower ones would come
// to nothing that way, so they are added up before they are rounded down.
func worth(rate float64, parts []Part) float64 {
	wide, narrow := 0.0, 0.0
	for _, p := range parts {
		from, to := rate*clamp(p.From), rate*clamp(p.To)
		switch width := to - from; {
		case width+width*rounding >= 1:
			wide += whole(to) - whole(from)
		case width > 0:
			narrow += width
		}
	}
	if n := wide + whole(narrow); n >= 1 {
		return n
	}
	return narrow
}

// clamp takes what is outside of 0 to 1 for the nearest that isn't, and no
// number for 0.
func clamp(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return min(max(x, 0), 1)
}
