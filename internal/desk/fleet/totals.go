package fleet

import "time"

// maxNumbers bounds what is kept of each sample.
const maxNumbers = 4000

// totals are the fleet's counters since the desk began: what the replicas'
// rose by, whichever of them came, restarted or went.
type totals struct {
	since    time.Time
	replicas map[string]counted // by address
	index    map[counter]int
	values   []float64
}

// counted is what a replica had counted when it last answered.
type counted struct {
	at       time.Time
	began    time.Time
	counters map[counter]float64
}

func newTotals(since time.Time) *totals {
	return &totals{since: since, replicas: map[string]counted{}, index: map[counter]int{}}
}

// add counts what a replica has counted since it last answered.
func (t *totals) add(now time.Time, address string, s *scrape) {
	before, known := t.replicas[address]
	// Another process at the same address counts from zero, and one that began
	// since the desk did has counted nothing that isn't of this time.
	afresh := known && !s.began.Equal(before.began) || !known && s.began.After(t.since)
	for c, n := range s.counters {
		switch then := before.counters[c]; {
		case afresh:
			t.rise(c, n)
		case !known:
			t.rise(c, 0)
		case n < then: // it began anew, and doesn't say since when it runs
			t.rise(c, n)
		default:
			t.rise(c, n-then)
		}
	}
	t.replicas[address] = counted{now, s.began, s.counters}
	t.forget()
}

func (t *totals) rise(c counter, by float64) { t.set(c, t.value(c)+by) }

// set takes a number that isn't a counter's, so that there are samples of it.
func (t *totals) set(c counter, v float64) {
	i, ok := t.index[c]
	if !ok {
		if len(t.values) >= maxNumbers {
			return // more than so many aren't counted
		}
		i = len(t.values)
		t.index[c], t.values = i, append(t.values, 0)
	}
	t.values[i] = v
}

func (t *totals) value(c counter) float64 {
	if i, ok := t.index[c]; ok {
		return t.values[i]
	}
	return 0
}

// forget drops who was heard of the longest ago, where they are many. Who is
// only away for a while is remembered, so that nothing of it is counted twice.
func (t *totals) forget() {
	for len(t.replicas) > 2*maxReplicas {
		oldest := ""
		for address, c := range t.replicas {
			if oldest == "" || c.at.Before(t.replicas[oldest].at) {
				oldest = address
			}
		}
		delete(t.replicas, oldest)
	}
}
