package store

import (
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/packed"
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
	cfg     Config
	now     func() time.Time
	reading sync.WaitGroup // searches; Run waits for them

	mu       sync.RWMutex
	progress Progress
	version  uint64
	changed  chan struct{} // closed at the next change
	told     time.Time     // when it was closed last
	stopped  bool          // Run has ended

	seed    maphash.Seed
	texts   texts
	rows    []row // sorted; see older
	fresh   []row // that came since
	dropped int   // rows that are gone since the rest was cleaned
	states  *deadletter.States
	fold    *deadletter.Fold
	touched touched
	marks   packed.Table[mark]
	series  []Series
	bySID   map[string]uint32 // index into series, from 1
	audited bool              // the record of replays said something since the last change
	counted counted

	messages messages
	letters  *deadletter.Progress // of the dead letters that are being read; nil: none are
	next     map[part]int64       // up to where a partition was read
	first    map[part]int64       // where it began then
	looked   map[string]time.Time // when a topic's were looked at
	behind   map[part]time.Time   // since when it ends before next

	searches []*search // the one asked last at the end
	recent   recent
}

// part is a partition of a topic.
type part struct {
	topic     string
	partition int
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
		cfg: cfg, now: time.Now, changed: make(chan struct{}), seed: maphash.MakeSeed(), texts: newTexts(),
		states: deadletter.NewStates(cfg.Present), fold: deadletter.NewFold(), bySID: map[string]uint32{},
		messages: newMessages(), next: map[part]int64{}, first: map[part]int64{}, behind: map[part]time.Time{}, looked: map[string]time.Time{}, recent: newRecent(),
	}
	s.states.Watch(s.touched.add)
	s.touched.all = true
	return s
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
	Odd       int       `json:"-"`                   // records that can't be understood
	Since     time.Time `json:"-"`                   // messages that were accepted before then aren't here; zero: all that a Funnel counts are
}

// Progress tells how far the reading is.
func (s *Store) Progress() Progress {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.progress
	if s.letters != nil {
		p.Done += s.letters.Done()
	}
	p.Letters, p.Messages, p.Since = len(s.rows)+len(s.fresh), s.messages.n, s.messages.since
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

// tellSometimes is tell for what goes on for long.
func (s *Store) tellSometimes() {
	if s.now().Sub(s.told) >= tellEvery {
		s.tell()
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
