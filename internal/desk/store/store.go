package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

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
	cfg Config

	mu      sync.RWMutex
	version uint64
	changed chan struct{} // closed at the next change
}

// New makes a Store that knows nothing. Run reads.
func New(cfg Config) *Store {
	return &Store{cfg: cfg, changed: make(chan struct{})}
}

// Progress is how far the reading is.
type Progress struct {
	Done, Total int64     // offsets of the round under way, or of the last one
	Loaded      bool      // all was read to its end once
	Fault       string    // why nothing new comes, in words; "" while it does
	At          time.Time // when all was last read to its end
	Forgotten   int       // letters beyond the bound, or with texts that have no room
	Letters     int       // that are here
	Messages    int       // likewise
	Since       time.Time // messages that were accepted before then were forgotten; zero: none was
}

// Run reads the topics, and then what comes, until ctx ends: that is the error
// that it returns. It may be called once.
func (s *Store) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Progress tells how far the reading is.
func (s *Store) Progress() Progress {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Progress{}
}

// Changes is the number of the state that queries tell of, and a channel that is
// closed when there is another.
func (s *Store) Changes() (version uint64, changed <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version, s.changed
}

// ErrUnknown says that there is no such dead letter.
var ErrUnknown = errors.New("no dead letter has such an id")

// AmbiguousError says that several dead letters' ids begin so.
type AmbiguousError struct {
	IDs  []string // the first of them
	More bool     // there are others
}

func (e *AmbiguousError) Error() string { return "several dead letters' ids begin so" }
