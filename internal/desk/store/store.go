package store

import (
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/audits"
	"engage-worker/internal/desk/follow"
	"engage-worker/internal/desk/messages"
	"engage-worker/internal/desk/reread"
	"engage-worker/internal/desk/search"
	"engage-worker/internal/kafka/records"
)

// Config is what a Store reads.
type Config struct {
	Cluster      *records.Cluster
	DeadLetters  string // topic
	Destinations []Destination
	// Present tells an action's present name; nil: none was called otherwise.
	Present func(destination, action string) string
	Limits  Limits
	Every   time.Duration // between two rounds; 0: half a second
	Log     zerolog.Logger
}

// Destination is where a destination's deliveries are remembered.
type Destination struct {
	Name        string
	FormerNames []string
	Ledger      string // topics; one that isn't there says nothing
	Status      string
}

// Limits bound the memory. What is 0 is the default.
type Limits struct {
	Letters  int // that are kept; 1,000,000
	Messages int // likewise; 10,000,000
	Search   int // letters that one search for a text looks through; 100,000
}

// Store is what the topics say. Make it with New; it is safe for concurrent use.
type Store struct {
	cfg      Config
	now      func() time.Time
	follower *follow.Follower
	again    *reread.Reader
	searches *search.Searches
	takers   map[string]taker // of the topics that tell of letters

	mu        sync.RWMutex // guards what follows
	version   uint64
	changed   chan struct{} // closed at the next change
	told      time.Time     // when it was closed last
	loaded    bool
	forgotten int // letters

	seed     maphash.Seed
	texts    texts
	rows     []row // sorted; see older
	fresh    []row // that came since
	dropped  int   // rows that are gone since the rest was cleaned
	states   *deadletter.States
	fold     *deadletter.Fold
	touched  touched
	audits   *audits.Audits
	audited  bool // the record of replays said something since the last change
	counted  counted
	messages *messages.Messages
}

// New makes a Store that knows nothing. Run reads.
func New(cfg Config) *Store {
	if cfg.Present == nil {
		cfg.Present = func(_, action string) string { return action }
	}
	for limit, usual := range map[*int]int{&cfg.Limits.Letters: 1_000_000, &cfg.Limits.Messages: 10_000_000, &cfg.Limits.Search: 100_000} {
		if *limit == 0 {
			*limit = usual
		}
	}
	if cfg.Every == 0 {
		cfg.Every = 500 * time.Millisecond
	}
	s := &Store{
		cfg: cfg, now: time.Now, changed: make(chan struct{}), seed: maphash.MakeSeed(), texts: newTexts(), again: reread.New(cfg.Cluster, cfg.DeadLetters),
		states: deadletter.NewStates(cfg.Present), fold: deadletter.NewFold(), audits: audits.New(), messages: messages.New(cfg.Present, cfg.Limits.Messages, time.Now()),
	}
	clock := func() time.Time { return s.now() } // which a test may move
	s.states.Watch(s.touched.add)
	s.touched.all = true
	s.searches = search.New(search.Config{Letters: s.again, Most: cfg.Limits.Search, Now: clock, Found: s.progressed})
	s.takers = s.allTakers()
	s.follower = follow.New(follow.Config{
		Cluster: cfg.Cluster, Letters: cfg.DeadLetters, Tellers: slices.Sorted(maps.Keys(s.takers)), Every: cfg.Every, Now: clock, Log: cfg.Log,
		Takes: follow.Takes{
			Gone: s.gone, Begin: s.begin, Letter: s.letter, LettersEnd: s.lettersEnd, End: s.end, Progress: s.progressed,
			Told: func(at follow.Partition, block []records.Record) { s.takers[at.Topic](at.Number, block) },
		},
	})
	return s
}

// Run reads the topics, and then what comes, until ctx ends: that is the error
// that it returns. It may be called once.
func (s *Store) Run(ctx context.Context) error {
	defer s.searches.Stop()
	return s.follower.Run(ctx)
}

func (s *Store) hash(text string) uint64 { return maphash.String(s.seed, text) }

// Progress is how far the reading is.
type Progress struct {
	Done      int64     `json:"done"` // offsets of the round under way, or of the last one
	Total     int64     `json:"total"`
	Loaded    bool      `json:"loaded"`              // all was read to its end once
	Fault     string    `json:"fault,omitempty"`     // why nothing new comes, in words
	At        time.Time `json:"at,omitzero"`         // when all was last read to its end
	Letters   int       `json:"letters"`             // that are here
	Messages  int       `json:"messages"`            // likewise
	Forgotten int       `json:"forgotten,omitempty"` // letters beyond the bound, or with texts that have no room
}

// Progress tells how far the reading is.
func (s *Store) Progress() Progress {
	far := s.follower.Progress()
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := Progress{Done: far.Done, Total: far.Total, Fault: far.Fault, At: far.At, Loaded: s.loaded, Forgotten: s.forgotten}
	p.Letters, p.Messages = len(s.rows)+len(s.fresh), s.messages.Len()
	return p
}

// Changes is the number of the state that queries tell of, and a channel that is
// closed when there is another: at most a few times a second.
func (s *Store) Changes() (version uint64, changed <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version, s.changed
}

// tellEvery is the least time between two changes.
const tellEvery = 300 * time.Millisecond

// tell says that there is something new. The caller holds the lock.
func (s *Store) tell() {
	s.version++
	s.told = s.now()
	close(s.changed)
	s.changed = make(chan struct{})
}

// tellSometimes is tell for what goes on for long. The caller holds the lock.
func (s *Store) tellSometimes() {
	if s.now().Sub(s.told) >= tellEvery {
		s.tell()
	}
}

// progressed is tell, or tellSometimes, of what others have learnt.
func (s *Store) progressed(news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if news {
		s.tell()
	} else {
		s.tellSometimes()
	}
}

// ErrUnknown says that there is no such dead letter.
var ErrUnknown = errors.New("no dead letter has such an id")

// AmbiguousError says that several dead letters' ids begin so.
type AmbiguousError struct {
	IDs  []string // the first of them
	More bool     // there are others
}

func (e *AmbiguousError) Error() string { return "several dead letters' ids begin so" }
