package store

import (
	"context"
	"sync"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/audits"
)

// counted is what Series counted last.
type counted struct {
	mu      sync.Mutex
	version uint64 // of the state that it is of
	series  []audits.Series
}

// Series are the replays, the latest first, at most 10,000 of them. They are the
// Store's, and must not be changed.
func (s *Store) Series() []audits.Series {
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
func (s *Store) countSeries() []audits.Series {
	all := s.audits.Count()
	for i := range s.rows {
		r := &s.rows[i]
		of := all[r.series]
		if of == nil {
			continue
		}
		if of.Outcome == nil {
			of.Outcome = map[deadletter.State]int{}
		}
		of.Outcome[allStates[r.state-1]]++
	}
	return audits.LatestFirst(all)
}

// Replayed are a page of the letters that a series has replayed, newest first.
func (s *Store) Replayed(ctx context.Context, series string, offset, limit int) (Page, error) {
	s.mu.RLock()
	var chosen []row
	total := 0
	if n := s.audits.Number(series); n > 0 {
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
