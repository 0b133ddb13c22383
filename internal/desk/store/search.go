package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"engage-worker/deadletter"
	"engage-worker/internal/kafka/connect"
)

// search looks for a text in letters, which aren't in memory: in the background,
// newest first.
type search struct {
	key    string // the filter
	text   string
	cancel context.CancelFunc

	// Guarded by the Store's mu.
	found  map[place]struct{}
	asked  time.Time // last
	looked int       // letters that were looked through
	to     int       // that are to be
	beyond int       // beyond the bound, which aren't
	fault  string
	ended  time.Time // zero: it goes on
}

const (
	mostSearches = 4
	searchChunk  = 500

	// searchLife is for how long an ended search isn't begun anew; letters that
	// come meanwhile are looked through as they come.
	searchLife = time.Minute

	// searchKept is for how long one is kept that nobody asks for.
	searchKept = 5 * time.Minute

	// againAfter is that of one that Kafka's absence has ended.
	againAfter = 5 * time.Second

	// coarse is how exactly a search's times are taken.
	coarse = 10 * time.Minute

	// searchWait is how long a query waits for a search.
	searchWait = 100 * time.Millisecond
)

// errNotReading says that Run has ended.
var errNotReading = errors.New("the topics aren't read any more")

// search is the search that a filter needs, as it is after a moment; nil for a
// filter without a text.
func (s *Store) search(ctx context.Context, f *deadletter.Filter) (*search, error) {
	if f.Contains == "" {
		return nil, nil
	}
	q, err := s.begun(f)
	if err != nil {
		return nil, err
	}
	deadline := time.NewTimer(searchWait)
	defer deadline.Stop()
	for {
		s.mu.RLock()
		done, changed := !q.ended.IsZero(), s.changed
		s.mu.RUnlock()
		if done {
			return q, nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			return q, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// begun finds a filter's search, or begins it.
func (s *Store) begun(f *deadletter.Filter) (*search, error) {
	stateless := *f
	stateless.States = nil // which change meanwhile
	// So do times that are told as so long ago: a little more is looked through.
	if !f.Since.IsZero() {
		stateless.Since = f.Since.Truncate(coarse)
	}
	if !f.Until.IsZero() {
		stateless.Until = f.Until.Truncate(coarse).Add(coarse)
	}
	name, err := json.Marshal(stateless)
	if err != nil {
		return nil, fmt.Errorf("look for a text: %w", err)
	}
	key := string(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, errNotReading
	}
	if i := slices.IndexFunc(s.searches, func(q *search) bool { return q.key == key }); i >= 0 {
		q := s.searches[i]
		s.searches = append(slices.Delete(s.searches, i, i+1), q)
		q.asked = s.now()
		life := searchLife
		if q.fault != "" {
			life = againAfter
		}
		if q.ended.IsZero() || s.now().Sub(q.ended) < life {
			return q, nil
		}
		s.searches = s.searches[:len(s.searches)-1]
	}
	if len(s.searches) == mostSearches {
		s.searches[0].cancel()
		s.searches = slices.Delete(s.searches, 0, 1)
	}
	ctx, cancel := context.WithCancel(context.Background()) // Run cancels it
	q := &search{key: key, text: f.Contains, cancel: cancel, asked: s.now(), found: map[place]struct{}{}}
	var rows []row
	s.newest(s.choose(&stateless), func(r *row) bool {
		if len(rows) < s.cfg.Limits.Search {
			rows = append(rows, *r)
		} else {
			q.beyond++
		}
		return true
	})
	q.to = len(rows)
	s.searches = append(s.searches, q)
	s.reading.Go(func() {
		defer cancel()
		s.look(ctx, q, rows)
	})
	return q, nil
}

// tidy gives up what nobody asks for. The caller holds the lock.
func (s *Store) tidy() {
	s.searches = slices.DeleteFunc(s.searches, func(q *search) bool {
		old := s.now().Sub(q.asked) > searchKept
		if old {
			q.cancel()
		}
		return old
	})
}

// look looks through letters.
func (s *Store) look(ctx context.Context, q *search, rows []row) {
	var err error
	for n := 0; n < len(rows) && err == nil; n += searchChunk {
		err = s.lookThrough(ctx, q, rows[n:min(n+searchChunk, len(rows))])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.ended = s.now(); err != nil && ctx.Err() == nil {
		q.fault = connect.Explain(err)
	}
	s.tell()
}

func (s *Store) lookThrough(ctx context.Context, q *search, rows []row) error {
	some, err := s.fetch(ctx, rows)
	var found []place
	for at, r := range some {
		if r != nil && q.in(r) {
			found = append(found, at)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range found {
		q.found[at] = struct{}{}
	}
	if err == nil {
		q.looked += len(rows)
	}
	s.tellSometimes()
	return err
}

// in reports whether the text is in a letter.
func (q *search) in(r *deadletter.Record) bool {
	return (&deadletter.Filter{Contains: q.text}).Match(r)
}

// offer is of a letter that has just come. The caller holds the lock.
func (q *search) offer(n *row, r *deadletter.Record) {
	if q.in(r) {
		q.found[n.place()] = struct{}{}
	}
}

// partly says why not all were looked through, and busy whether that goes on; of
// no search too. The caller holds the lock.
func (q *search) partly() string {
	switch {
	case q == nil:
		return ""
	case q.fault != "":
		return fmt.Sprintf("%d of %d letters were looked through for the text; then Kafka couldn't be read: %s", q.looked, q.to+q.beyond, q.fault)
	case q.busy():
		return fmt.Sprintf("still looking for the text: %d of %d letters were looked through", q.looked, q.to)
	case q.beyond > 0:
		return fmt.Sprintf("only the newest %d of %d letters were looked through for the text: choose fewer by the other filters, or export, which looks through all", q.to, q.to+q.beyond)
	}
	return ""
}

func (q *search) busy() bool { return q != nil && q.ended.IsZero() }

// recent are the letters that were on pages lately, without their events.
type recent struct {
	cache *lru.Cache[place, *deadletter.Record]
}

// mostRecent is how many; each takes about a kilobyte.
const mostRecent = 4096

func newRecent() recent {
	cache, err := lru.New[place, *deadletter.Record](mostRecent)
	if err != nil {
		panic(err) // of a size below 1
	}
	return recent{cache}
}

func (r recent) get(at place) *deadletter.Record {
	found, _ := r.cache.Get(at)
	return found
}

func (r recent) put(at place, letter *deadletter.Record) { r.cache.Add(at, letter) }
