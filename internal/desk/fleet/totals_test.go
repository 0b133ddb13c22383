package fleet

import (
	"fmt"
	"testing"
	"time"
)

// The samples that are kept tell a number's value at any time of a week, the
// older the coarser, and their number is bounded.
func TestHistory(t *testing.T) {
	h := newHistory()
	begin := at
	now := begin
	for ; now.Sub(begin) < 8*day; now = now.Add(5 * time.Second) {
		h.add(now, []float64{now.Sub(begin).Seconds()})
	}
	n := 0
	for _, t := range h.tiers {
		n += len(t.samples)
	}
	if most := 12 + 60 + 144 + 168 + 2*len(h.tiers); n > most {
		t.Errorf("%d samples are kept, want at most %d", n, most)
	}
	for _, c := range []struct{ ago, off time.Duration }{
		{15 * time.Second, 5 * time.Second}, {15 * time.Minute, time.Minute}, {hour, time.Minute}, {day, 10 * time.Minute}, {week, hour},
	} {
		then := now.Add(-c.ago)
		s, ok := h.before(then)
		off := then.Sub(begin) - time.Duration(s.value(0))*time.Second
		if !ok || off < 0 || off > c.off {
			t.Errorf("%v ago: the sample is %v older, want at most %v", c.ago, off, c.off)
		}
	}
	if s, ok := h.before(begin.Add(-hour)); !ok || s.at.Before(now.Add(-week-hour)) {
		t.Errorf("before all: got the sample of %v", s.at)
	}
	if _, ok := newHistory().before(now); ok {
		t.Error("there is a sample before the first")
	}
}

// What the fleet counted is the same whichever replicas came, restarted, were
// away or went.
func TestTotals(t *testing.T) {
	c := counter{metric: "engage_events_total", of: "d", kind: "sent"}
	early, late, later := ago(hour), at.Add(time.Minute), at.Add(2*time.Minute)
	says := func(began time.Time, n float64) *scrape {
		return &scrape{began: began, counters: map[counter]float64{c: n}}
	}
	type step struct {
		address string
		s       *scrape
		want    float64 // so far
	}
	for name, steps := range map[string][]step{
		"what was before isn't counted": {{"a", says(early, 100), 0}, {"a", says(early, 130), 30}},
		"a restart":                     {{"a", says(early, 100), 0}, {"a", says(late, 5), 5}, {"a", says(late, 7), 7}},
		"a restart that counts further": {{"a", says(early, 100), 0}, {"a", says(late, 500), 500}},
		"a restart that isn't said":     {{"a", says(time.Time{}, 100), 0}, {"a", says(time.Time{}, 5), 5}},
		"one that is new":               {{"a", says(early, 100), 0}, {"b", says(late, 9), 9}, {"b", says(late, 10), 10}},
		"one that was only found late":  {{"a", says(early, 100), 0}, {"b", says(early, 9), 0}, {"b", says(early, 10), 1}},
		"one that was away":             {{"a", says(late, 100), 100}, {"b", says(early, 1), 100}, {"a", says(late, 120), 120}},
		"another at the same address":   {{"a", says(late, 100), 100}, {"a", says(later, 100), 200}},
	} {
		t.Run(name, func(t *testing.T) {
			totals := newTotals(at)
			for i, s := range steps {
				totals.add(at.Add(time.Duration(i)*time.Second), s.address, s.s)
				if got := totals.value(c); got != s.want {
					t.Errorf("step %d: %v, want %v", i+1, got, s.want)
				}
			}
		})
	}
}

// Neither numbers nor replicas grow without end.
func TestTotalsAreBounded(t *testing.T) {
	totals := newTotals(at)
	for i := range 3 * maxReplicas {
		s := &scrape{counters: map[counter]float64{}}
		for k := range 100 {
			s.counters[counter{of: fmt.Sprint(i, "/", k)}] = 1
		}
		totals.add(at.Add(time.Duration(i)*time.Second), fmt.Sprint(i), s)
	}
	if len(totals.values) != maxNumbers || len(totals.replicas) != 2*maxReplicas {
		t.Errorf("%d numbers, %d replicas", len(totals.values), len(totals.replicas))
	}
	if _, ok := totals.replicas[fmt.Sprint(3*maxReplicas-1)]; !ok {
		t.Error("the newest was forgotten")
	}
}
