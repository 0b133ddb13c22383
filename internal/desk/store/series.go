package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/packed"
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

	Published int // events that are in the source again
	Intended  int // of which nothing more was said yet
	Outcome   map[deadletter.State]int
}

// mostSeries bounds how many are remembered.
const mostSeries = 10_000

// mark is what the record of replays says last of one replay of a letter, or of its
// dismissal.
type mark struct {
	key       uint64
	offset    int64
	series    uint32
	plan      uint32 // a hash: two of a series may be at it at once
	partition uint16
	state     markState
}

type markState uint8

const (
	markIntended markState = iota + 1
	markPublished
	markDismissal
	markDeath // the letter came after that replay
)

func (m mark) Empty() bool      { return m.key == 0 }
func (m mark) Hash() uint64     { return m.key }
func (m mark) Same(n mark) bool { return m.key == n.key }

// markKey is of the nth replay of a letter, of the letter's dismissal that would
// have been the nth, or of its death after the nth.
func markKey(letter uint64, replay int, what markState) uint64 {
	n := uint64(replay)<<2 | uint64(what)
	if what == markPublished {
		n = uint64(replay)<<2 | uint64(markIntended) // of one replay there is one mark
	}
	// Fibonacci hashing keeps near numbers apart over all bits.
	return max(1, letter^n*0x9e3779b97f4a7c15)
}

// marksOf are what is said of a row: of its replays, up to the letter's next death,
// in their order, and of its dismissal. The caller holds the lock.
func (s *Store) marksOf(r *row) (replays, dismissals, deaths []mark) {
	letter, old := r.ref.Letter()
	get := func(to *[]mark, n int, what markState) (ok bool) {
		for _, hash := range []uint64{letter, old} {
			if m, known := s.marks.Get(mark{key: markKey(hash, n, what)}); known {
				*to, ok = append(*to, m), true
			}
		}
		return ok
	}
	n := r.ref.Replays()
	get(&deaths, n, markDeath)
	get(&dismissals, n+1, markDismissal)
	for n++; get(&replays, n, markIntended) && !get(&deaths, n, markDeath); n++ {
	}
	return replays, dismissals, deaths
}

// audit is a record of replays and where it is.
type audit struct {
	deadletter.Audit
	offset int64
}

// decodeAudits decodes what can be understood.
func decodeAudits(block []records.Record) (audits []audit) {
	for i := range block {
		if a, err := deadletter.DecodeAudit(block[i].Value); err == nil {
			audits = append(audits, audit{a, block[i].Offset})
		}
	}
	return audits
}

// takeAudits takes in what the record of replays says. The caller holds the lock.
func (s *Store) takeAudits(partition int, audits []audit) {
	s.audited = s.audited || len(audits) > 0
	for i := range audits {
		a := &audits[i]
		s.states.Audit(a.Audit)
		m := mark{offset: a.offset, partition: uint16(partition)}
		switch a.State {
		case deadletter.Begun, deadletter.Finished:
			s.seriesOf(a)
			continue
		case deadletter.Dismissed, deadletter.Reopened:
			m.key, m.state = markKey(s.states.Letter(a.ID, a.Origin), a.Replay, markDismissal), markDismissal
			s.marks.Put(m)
			continue
		}
		m.key, m.series = markKey(s.states.Letter(a.ID, a.Origin), a.Replay, markIntended), s.seriesOf(a)
		m.plan = uint32(s.hash(a.Plan))
		known, ok := s.marks.Get(m)
		switch a.State {
		case deadletter.Intended: // whoever was first, until that one says otherwise
			m.state = markIntended
			if ok && (known.plan != m.plan || known.state == markPublished) {
				continue
			}
			s.marks.Put(m)
		case deadletter.Published:
			m.state = markPublished
			s.marks.Put(m)
		case deadletter.Abandoned:
			if ok && known.plan == m.plan && known.state == markIntended {
				s.marks.Remove(m)
			}
		}
	}
}

// seriesOf is the place of a record's series, from 1.
func (s *Store) seriesOf(a *audit) uint32 {
	n, ok := s.bySID[a.Series]
	if !ok {
		if len(s.series) == mostSeries {
			s.forgetSeries()
		}
		s.series = append(s.series, Series{ID: a.Series, By: a.By})
		n = uint32(len(s.series))
		s.bySID[a.Series] = n
	}
	series := &s.series[n-1]
	if a.At.After(series.Last) {
		series.Last = a.At
	}
	switch a.State {
	case deadletter.Begun:
		series.Begun, series.By, series.Asked = a.At, a.By, a.Asked
	case deadletter.Finished:
		series.Finished = a.At
		series.Asked = cmp.Or(series.Asked, a.Asked)
	}
	return n
}

// forgetSeries forgets the older half of them.
func (s *Store) forgetSeries() {
	order := make([]int, len(s.series))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return latest(s.series[b]).Compare(latest(s.series[a])) })
	kept := order[:len(order)/2]
	slices.Sort(kept)
	moved := make([]uint32, len(s.series)+1) // 0: forgotten
	series := make([]Series, 0, mostSeries)
	clear(s.bySID)
	for _, i := range kept {
		series = append(series, s.series[i])
		moved[i+1] = uint32(len(series))
		s.bySID[s.series[i].ID] = moved[i+1]
	}
	s.series = series
	var marks packed.Table[mark]
	for m := range s.marks.All() {
		m.series = moved[m.series]
		marks.Put(m)
	}
	s.marks = marks
	for i := range s.rows {
		s.rows[i].series = moved[s.rows[i].series]
	}
}

// replayedBy is the series that replayed a row last. The caller holds the lock.
func (s *Store) replayedBy(r *row) uint32 {
	replays, _, _ := s.marksOf(r)
	if len(replays) == 0 {
		return 0
	}
	return replays[len(replays)-1].series
}

// counted is what Series counted last.
type counted struct {
	mu      sync.Mutex
	version uint64 // of the state that it is of
	series  []Series
}

// Series are the replays, the latest first, at most 10,000 of them. They are the
// Store's, and must not be changed.
func (s *Store) Series() []Series {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.counted.mu.Lock()
	defer s.counted.mu.Unlock()
	if s.counted.series == nil || s.counted.version != s.version {
		s.counted.series, s.counted.version = s.countSeries(), s.version
	}
	return s.counted.series
}

// countSeries is Series anew. The caller holds the lock.
func (s *Store) countSeries() []Series {
	all := append([]Series{}, s.series...)
	for m := range s.marks.All() {
		switch {
		case m.series == 0:
		case m.state == markPublished:
			all[m.series-1].Published++
		case m.state == markIntended:
			all[m.series-1].Intended++
		}
	}
	for i := range s.rows {
		if r := &s.rows[i]; r.series > 0 {
			of := &all[r.series-1]
			if of.Outcome == nil {
				of.Outcome = map[deadletter.State]int{}
			}
			of.Outcome[allStates[r.state-1]]++
		}
	}
	slices.SortStableFunc(all, func(a, b Series) int { return latest(b).Compare(latest(a)) })
	return all
}

// latest is when a series began, as far as is known.
func latest(s Series) time.Time {
	if s.Begun.IsZero() {
		return s.Last
	}
	return s.Begun
}

// Replayed are a page of the letters that a series has replayed, newest first.
func (s *Store) Replayed(ctx context.Context, series string, offset, limit int) (Page, error) {
	s.mu.RLock()
	var chosen []row
	total := 0
	if n := s.bySID[series]; n > 0 {
		for i := len(s.rows) - 1; i >= 0; i-- {
			if r := &s.rows[i]; r.series == n {
				if total++; total > offset && len(chosen) < limit {
					chosen = append(chosen, *r)
				}
			}
		}
	}
	s.mu.RUnlock()
	return s.page(ctx, chosen, total)
}

// replays are the record's words on letters, read again. The caller doesn't hold
// the lock.
func (s *Store) replays(ctx context.Context, rows []row) ([]deadletter.Audit, error) {
	topic := deadletter.AuditTopic(s.cfg.DeadLetters)
	places := map[place]bool{}
	s.mu.RLock()
	for i := range rows {
		replays, dismissals, _ := s.marksOf(&rows[i])
		for _, m := range slices.Concat(replays, dismissals) {
			places[place{int32(m.partition), m.offset}] = true
		}
	}
	s.mu.RUnlock()
	var found []audit
	for at := range maps.Keys(places) {
		scanner := records.Scanner{Cluster: s.cfg.Cluster, MaxBytes: answerBytes}
		span := records.Span{Topic: topic, Partition: int(at.partition), From: at.offset, End: at.offset + 1}
		if err := scanner.Scan(ctx, span, func(block []records.Record) error {
			found = append(found, decodeAudits(block)...)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b audit) int { return cmp.Compare(a.offset, b.offset) })
	all := make([]deadletter.Audit, len(found))
	for i, a := range found {
		all[i] = a.Audit
	}
	return deadletter.LastSteps(all), nil
}
