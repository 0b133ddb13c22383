package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/reread"
	"engage-worker/internal/desk/search"
	"engage-worker/internal/kafka/connect"
)

// Page are some letters, newest first.
type Page struct {
	// Rows have all but the event, with their State; where Kafka couldn't be read,
	// which Partly says, only what the store remembers.
	Rows   []*deadletter.Record
	Total  int    // that the filter chooses
	Partly string // what is missing, in words; "": nothing is
	Busy   bool   // a search goes on: ask again after the next of Changes
}

// Letters are a page of the letters that a filter chooses, newest first.
func (s *Store) Letters(ctx context.Context, f deadletter.Filter, offset, limit int) (Page, error) {
	q, err := s.search(ctx, &f)
	if err != nil {
		return Page{}, err
	}
	s.mu.RLock()
	release := q.Hold()
	var chosen []row
	total := 0
	s.each(&f, q, func(r *row) bool {
		if total++; total > offset && len(chosen) < limit {
			chosen = append(chosen, *r)
		}
		return true
	})
	partly, busy := q.Partly(), q.Busy()
	release()
	s.mu.RUnlock()
	page, err := s.page(ctx, chosen, total)
	page.Partly, page.Busy = cmp.Or(page.Partly, partly), busy
	return page, err
}

// search is the search that a filter needs, as it is after a moment; nil for a
// filter without a text.
func (s *Store) search(ctx context.Context, f *deadletter.Filter) (*search.Search, error) {
	s.mu.RLock()
	q, err := s.searches.Find(f, func(f *deadletter.Filter, each func(reread.Place)) {
		s.newest(s.choose(f), func(r *row) bool {
			each(r.place())
			return true
		})
	})
	s.mu.RUnlock()
	if err == nil {
		err = q.Wait(ctx)
	}
	return q, err
}

// each calls each for the chosen rows, newest first; of a search for a text, for
// those that it has found. The caller holds the lock, and then the search.
func (s *Store) each(f *deadletter.Filter, q *search.Search, each func(*row) bool) {
	if q != nil {
		chosen := each
		each = func(r *row) bool { return !q.Has(r.place()) || chosen(r) }
	}
	s.newest(s.choose(f), each)
}

// page has the texts of rows read. The caller doesn't hold the lock.
func (s *Store) page(ctx context.Context, rows []row, total int) (Page, error) {
	page := Page{Total: total, Rows: make([]*deadletter.Record, len(rows))}
	patient, cancel := s.patiently(ctx)
	defer cancel()
	read, err := s.again.Texts(patient, placesOf(rows))
	if ctx.Err() != nil {
		return Page{}, ctx.Err()
	}
	if err != nil {
		page.Partly = "the texts can't be read at the moment: " + connect.Explain(err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range rows {
		page.Rows[i] = s.bare(&rows[i])
		if r := read[rows[i].place()]; r != nil {
			whole := *r
			whole.State, whole.StateWhy = page.Rows[i].State, page.Rows[i].StateWhy
			page.Rows[i] = &whole
		}
	}
	return page, nil
}

const (
	// patience is how long a page waits for what is read again, and littlePatience
	// while Kafka is away.
	patience       = 2 * time.Second
	littlePatience = 200 * time.Millisecond
)

// patiently bounds ctx for reading again.
func (s *Store) patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.Progress().Fault != "" {
		return context.WithTimeout(ctx, littlePatience)
	}
	return context.WithTimeout(ctx, patience)
}

// Death is one of the times that a delivery died.
type Death struct {
	Failed  time.Time        `json:"failed"`
	Reason  string           `json:"reason"`
	Code    int              `json:"twilioCode,omitempty"`
	State   deadletter.State `json:"state"`
	Replays int              `json:"replays"` // before it
	At      string           `json:"at"`      // its place
}

// Detail is all of one dead letter.
type Detail struct {
	Record  *deadletter.Record // of the last death, whole
	Deaths  []Death            // the oldest first; of more than 100 the newest
	Replays []deadletter.Audit // and dismissals, by replays and in time
	Partly  string             // what couldn't be read, in words; "": all could
}

const (
	mostDeaths = 100
	mostNamed  = 10 // ids of an AmbiguousError
)

// Letter is the dead letter with an id, or with one that begins so. The error is
// ErrUnknown or an *AmbiguousError.
func (s *Store) Letter(ctx context.Context, id string) (*Detail, error) {
	s.mu.RLock()
	deaths, err := s.deathsOf(id)
	spoken := s.audits.Places(refsOf(deaths)) // where the record of replays speaks of it
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	slices.Reverse(deaths)
	last := deaths[len(deaths)-1:]
	patient, cancel := s.patiently(ctx)
	defer cancel()
	whole, err := s.again.Letters(patient, placesOf(last))
	var replays []deadletter.Audit
	if err == nil {
		replays, err = s.again.Audits(patient, spoken)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	d := &Detail{Replays: replays}
	s.mu.RLock()
	defer s.mu.RUnlock()
	d.Record = s.bare(&last[0])
	if r := whole[last[0].place()]; r != nil {
		r.State, r.StateWhy = d.Record.State, d.Record.StateWhy
		d.Record = r
	} else {
		d.Partly = "retention has deleted the letter meanwhile"
	}
	if err != nil {
		d.Partly = "the letter can't be read whole at the moment: " + connect.Explain(err)
	}
	for i := range deaths {
		r := s.bare(&deaths[i])
		d.Deaths = append(d.Deaths, Death{At: r.Position.String(), Failed: r.LastFailedAt, Reason: r.Reason, Code: r.TwilioCode, State: r.State, Replays: r.Replays})
	}
	return d, nil
}

// deathsOf are the rows of the letter that an id means, newest first. The caller
// holds the lock.
func (s *Store) deathsOf(id string) (deaths []row, err error) {
	if id == "" {
		return nil, ErrUnknown
	}
	s.newest(s.choose(&deadletter.Filter{IDs: []string{id}}), func(r *row) bool {
		deaths = append(deaths, *r)
		return len(deaths) < mostDeaths
	})
	if len(deaths) > 0 {
		return deaths, nil
	}
	var ids []string
	s.newest(s.choose(&deadletter.Filter{IDPrefix: id}), func(r *row) bool {
		full := s.idOf(r)
		if !slices.Contains(ids, full) {
			ids = append(ids, full)
		}
		if len(ids) == 1 && len(deaths) < mostDeaths {
			deaths = append(deaths, *r)
		}
		return len(ids) <= mostNamed
	})
	switch {
	case len(ids) == 0:
		return nil, ErrUnknown
	case len(ids) > 1:
		return nil, &AmbiguousError{IDs: slices.Sorted(slices.Values(ids[:min(len(ids), mostNamed)])), More: len(ids) > mostNamed}
	}
	return deaths, nil
}

const (
	leastExport = 8
	mostExport  = 1000
	// exportBytes is about how much of the events is in memory at a time.
	exportBytes = 8 << 20
)

// Export calls each for all letters that a filter chooses, whole and with their
// states, newest first, and looks through all of them. A letter is each's to
// keep; an error of each's ends it. What retention deletes meanwhile is left out.
func (s *Store) Export(ctx context.Context, f deadletter.Filter, each func(*deadletter.Record) error) error {
	var chosen []row
	s.mu.RLock()
	s.newest(s.choose(&f), func(r *row) bool {
		chosen = append(chosen, *r)
		return true
	})
	s.mu.RUnlock()
	n := leastExport
	for len(chosen) > 0 {
		n = min(n, len(chosen))
		some, err := s.again.Letters(ctx, placesOf(chosen[:n]))
		if err != nil {
			return err
		}
		size := 0
		for i := range chosen[:n] {
			r := some[chosen[i].place()]
			if r == nil {
				continue
			}
			size += len(r.Key) + len(r.Value)
			s.mu.RLock()
			r.State, r.StateWhy = s.states.OfRef(chosen[i].ref)
			s.mu.RUnlock()
			if !f.Match(r) {
				continue
			}
			if err := each(r); err != nil {
				return err
			}
		}
		chosen = chosen[n:]
		if size > exportBytes {
			n = max(leastExport, n/2)
		} else if size < exportBytes/4 {
			n = min(mostExport, 2*n)
		}
	}
	return nil
}
