package fleet

import "time"

// history keeps samples of numbers, the older ones further apart.
type history struct {
	tiers [4]tier
}

// tier is the samples of one distance.
type tier struct {
	every, keep time.Duration
	samples     []sample // oldest first
}

// sample is all numbers at a time, by their index. Numbers that came later are
// beyond its end, and were zero.
type sample struct {
	at     time.Time
	values []float64
}

func (s sample) value(i int) float64 {
	if i < len(s.values) {
		return s.values[i]
	}
	return 0
}

func newHistory() *history {
	return &history{[4]tier{
		{every: 5 * time.Second, keep: time.Minute},
		{every: time.Minute, keep: time.Hour},
		{every: 10 * time.Minute, keep: 24 * time.Hour},
		{every: time.Hour, keep: 7 * 24 * time.Hour},
	}}
}

// add takes the numbers of a time, which is later than all before. It keeps
// values.
func (h *history) add(at time.Time, values []float64) {
	for i := range h.tiers {
		t := &h.tiers[i]
		if n := len(t.samples); n > 0 && at.Sub(t.samples[n-1].at) < t.every {
			continue
		}
		t.samples = append(t.samples, sample{at, values})
		// One that is older than what is kept stays: the span's begin is between it and the next.
		drop := 0
		for drop+1 < len(t.samples) && at.Sub(t.samples[drop+1].at) >= t.keep {
			drop++
		}
		t.samples = append(t.samples[:0], t.samples[drop:]...)
	}
}

// before is the newest sample that isn't younger than t. Where all are younger
// it is the oldest; ok is false where there is none at all.
func (h *history) before(t time.Time) (best sample, ok bool) {
	for i := range h.tiers {
		for _, s := range h.tiers[i].samples {
			fits, has := !s.at.After(t), ok && !best.at.After(t)
			if !ok || fits && (!has || s.at.After(best.at)) || !fits && !has && s.at.Before(best.at) {
				best, ok = s, true
			}
		}
	}
	return best, ok
}
