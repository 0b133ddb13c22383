package audits

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"engage-worker/deadletter"
)

// Series is a replay as the record of replays tells of it: a plan, with those
// that went on with it.
type Series struct {
	ID       string
	By       string
	Asked    string    // what for, as letters.Choice.Asked writes it; "": it isn't known
	Begun    time.Time // zero: it isn't known
	Finished time.Time // zero: it isn't
	Last     time.Time // when it last wrote something down

	Published int                      // events that are in the source again
	Intended  int                      // of which nothing more was said yet
	Outcome   map[deadletter.State]int // of what was published, set by who knows the letters
}

// mostSeries bounds how many are remembered.
const mostSeries = 10_000

// seriesOf is the number of a record's series, from 1.
func (a *Audits) seriesOf(e *Entry) uint32 {
	n, ok := a.byID[e.Series]
	if !ok {
		if len(a.series) == mostSeries {
			a.forgetSeries()
		}
		a.last++
		n = a.last
		a.byID[e.Series], a.series[n] = n, &Series{ID: e.Series, By: e.By}
	}
	s := a.series[n]
	if e.At.After(s.Last) {
		s.Last = e.At
	}
	switch e.State {
	case deadletter.Begun:
		s.Begun, s.By, s.Asked = e.At, e.By, e.Asked
	case deadletter.Finished:
		s.Finished = e.At
		s.Asked = cmp.Or(s.Asked, e.Asked)
	}
	return n
}

// forgetSeries forgets the older half of them. Their numbers are nobody's then.
func (a *Audits) forgetSeries() {
	oldest := slices.SortedFunc(maps.Keys(a.series), func(x, y uint32) int {
		return cmp.Or(latest(a.series[x]).Compare(latest(a.series[y])), cmp.Compare(x, y))
	})
	for _, n := range oldest[:len(oldest)/2] {
		delete(a.byID, a.series[n].ID)
		delete(a.series, n)
	}
}

// Number is a series' number, 0 where its id isn't known.
func (a *Audits) Number(id string) uint32 { return a.byID[id] }

// Count is a copy of all series by their numbers, without their Outcome.
func (a *Audits) Count() map[uint32]*Series {
	all := make(map[uint32]*Series, len(a.series))
	for n, s := range a.series {
		counted := *s
		all[n] = &counted
	}
	for m := range a.marks.All() {
		switch s := all[m.series]; {
		case s == nil:
		case m.state == markPublished:
			s.Published++
		case m.state == markIntended:
			s.Intended++
		}
	}
	return all
}

// LatestFirst puts counted series in order.
func LatestFirst(all map[uint32]*Series) []Series {
	sorted := slices.SortedFunc(maps.Values(all), func(a, b *Series) int {
		return cmp.Or(latest(b).Compare(latest(a)), cmp.Compare(a.ID, b.ID))
	})
	series := make([]Series, len(sorted))
	for i, s := range sorted {
		series[i] = *s
	}
	return series
}

// latest is when a series began, as far as is known.
func latest(s *Series) time.Time {
	if s.Begun.IsZero() {
		return s.Last
	}
	return s.Begun
}
