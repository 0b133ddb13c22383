// Package search looks for a text in dead letters, whose texts aren't in memory: in the
// background, newest first, up to a bound. Who asks waits a moment, and is told how much
// was looked through. Letters that come meanwhile are looked through as they come.
package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/reread"
	"engage-worker/internal/kafka/connect"
)

const (
	mostSearches = 4
	chunk        = 500

	// life is for how long an ended search isn't begun anew; letters that come meanwhile
	// are looked through as they come.
	life = time.Minute

	// kept is for how long one is kept that nobody asks for.
	kept = 5 * time.Minute

	// againAfter is life, of one that Kafka's absence has ended.
	againAfter = 5 * time.Second

	// coarse is how exactly a search's times are taken.
	coarse = 10 * time.Minute

	// patience is how long a query waits for a search.
	patience = 100 * time.Millisecond
)

// errStopped says that Stop was called.
var errStopped = errors.New("the topics aren't read any more")

// Config is what Searches work with.
type Config struct {
	Letters *reread.Reader
	Most    int // letters that one search looks through
	Now     func() time.Time
	// Found is called when there may be more to tell, and when a search has ended.
	Found func(ended bool)
}

// Searches are those under way, and those of late. Make it with New; it is safe for
// concurrent use.
type Searches struct {
	cfg     Config
	reading sync.WaitGroup

	mu      sync.RWMutex
	stopped bool
	all     []*Search // the one asked last at the end
}

// Search is one of them. A nil Search is of a filter without a text.
type Search struct {
	of     *Searches
	key    string // the filter
	text   string
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended

	// Guarded by the Searches' mu.
	found  map[reread.Place]struct{}
	asked  time.Time // last
	looked int       // letters that were looked through
	to     int       // that are to be
	beyond int       // beyond the bound, which aren't
	fault  string
	ended  time.Time // zero: it goes on
}

// New has none. Stop it in the end.
func New(cfg Config) *Searches { return &Searches{cfg: cfg} }

// Stop ends all searches, and waits for that.
func (s *Searches) Stop() {
	s.mu.Lock()
	s.stopped = true
	for _, q := range s.all {
		q.cancel()
	}
	s.mu.Unlock()
	s.reading.Wait()
}

// Find finds a filter's search, or begins it; nil for a filter without a text. newest
// calls each for the places of letters that a filter chooses, newest first. The caller
// sees to it that no letter comes meanwhile.
func (s *Searches) Find(f *deadletter.Filter, newest func(f *deadletter.Filter, each func(reread.Place))) (*Search, error) {
	if f.Contains == "" {
		return nil, nil
	}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, errStopped
	}
	if q := s.again(string(name)); q != nil {
		return q, nil
	}
	if len(s.all) == mostSearches {
		s.all[0].cancel()
		s.all = slices.Delete(s.all, 0, 1)
	}
	ctx, cancel := context.WithCancel(context.Background()) // Stop cancels it
	q := &Search{of: s, key: string(name), text: f.Contains, cancel: cancel, done: make(chan struct{}), asked: s.cfg.Now(), found: map[reread.Place]struct{}{}}
	var places []reread.Place
	newest(&stateless, func(at reread.Place) {
		if len(places) < s.cfg.Most {
			places = append(places, at)
		} else {
			q.beyond++
		}
	})
	q.to = len(places)
	s.all = append(s.all, q)
	s.reading.Go(func() {
		defer cancel()
		s.look(ctx, q, places)
	})
	return q, nil
}

// again is the search that a key names, nil where there is none that is still good.
func (s *Searches) again(key string) *Search {
	i := slices.IndexFunc(s.all, func(q *Search) bool { return q.key == key })
	if i < 0 {
		return nil
	}
	q := s.all[i]
	s.all = slices.Delete(s.all, i, i+1)
	good := life
	if q.fault != "" {
		good = againAfter
	}
	if !q.ended.IsZero() && s.cfg.Now().Sub(q.ended) >= good {
		return nil
	}
	s.all, q.asked = append(s.all, q), s.cfg.Now()
	return q
}

// Tidy gives up what nobody asks for.
func (s *Searches) Tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(q *Search) bool {
		old := s.cfg.Now().Sub(q.asked) > kept
		if old {
			q.cancel()
		}
		return old
	})
}

// Offer is of a letter that has just come.
func (s *Searches) Offer(at reread.Place, r *deadletter.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.all {
		if q.in(r) {
			q.found[at] = struct{}{}
		}
	}
}

// look looks through letters.
func (s *Searches) look(ctx context.Context, q *Search, places []reread.Place) {
	var err error
	for some := range slices.Chunk(places, chunk) {
		if err = s.lookThrough(ctx, q, some); err != nil {
			break
		}
	}
	s.mu.Lock()
	if q.ended = s.cfg.Now(); err != nil && ctx.Err() == nil {
		q.fault = connect.Explain(err)
	}
	s.mu.Unlock()
	close(q.done)
	s.cfg.Found(true)
}

func (s *Searches) lookThrough(ctx context.Context, q *Search, places []reread.Place) error {
	letters, err := s.cfg.Letters.Letters(ctx, places)
	s.mu.Lock()
	for at, r := range letters {
		if q.in(r) {
			q.found[at] = struct{}{}
		}
	}
	if err == nil {
		q.looked += len(places)
	}
	s.mu.Unlock()
	s.cfg.Found(false)
	return err
}

// in reports whether the text is in a letter.
func (q *Search) in(r *deadletter.Record) bool {
	return (&deadletter.Filter{Contains: q.text}).Match(r)
}

// Wait waits a moment for the search's end. The error is ctx's.
func (q *Search) Wait(ctx context.Context) error {
	if q == nil {
		return nil
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case <-q.done:
	case <-deadline.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Hold keeps the search as it is until release is called: Has, Partly and Busy are for
// whoever holds it.
func (q *Search) Hold() (release func()) {
	if q == nil {
		return func() {}
	}
	q.of.mu.RLock()
	return q.of.mu.RUnlock
}

// Has reports whether the text was found in the letter at a place; of no text, it was.
func (q *Search) Has(at reread.Place) bool {
	if q == nil {
		return true
	}
	_, ok := q.found[at]
	return ok
}

// Partly says why not all were looked through, "" where they were.
func (q *Search) Partly() string {
	switch {
	case q == nil:
		return ""
	case q.fault != "":
		return fmt.Sprintf("%d of %d letters were looked through for the text; then Kafka couldn't be read: %s", q.looked, q.to+q.beyond, q.fault)
	case q.Busy():
		return fmt.Sprintf("still looking for the text: %d of %d letters were looked through", q.looked, q.to)
	case q.beyond > 0:
		return fmt.Sprintf("only the newest %d of %d letters were looked through for the text: choose fewer by the other filters, or export, which looks through all", q.to, q.to+q.beyond)
	}
	return ""
}

// Busy reports whether it goes on.
func (q *Search) Busy() bool { return q != nil && q.ended.IsZero() }
