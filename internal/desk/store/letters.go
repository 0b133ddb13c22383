package store

import (
	"context"
	"time"

	"engage-worker/deadletter"
)

// Group are the letters of one kind.
type Group struct {
	Destination, Action, Reason string
	Code                        int // Twilio's; 0: none
	Count                       int
	Open                        int // of Count: nothing came after them
	ByState                     map[deadletter.State]int
	Trend                       []int // that failed in each of the last 24 hours, the latest last
	Newest                      time.Time
	SampleID                    string // the newest one's
}

// Groups are the groups, the largest first.
type Groups struct {
	List   []Group
	Total  int    // letters
	Partly string // why these aren't all, in words; "": they are
}

// Bucket are the letters of a span of time.
type Bucket struct {
	From    time.Time
	N, Open int
}

// Histogram counts letters by when they failed.
type Histogram struct {
	Buckets []Bucket // from the oldest letter's to the newest's, without gaps
	Partly  string
}

// Page are some letters, newest first.
type Page struct {
	// Rows are whole, with their State; where Kafka couldn't be read, which Partly
	// says, without the event and the texts.
	Rows   []*deadletter.Record
	Total  int    // that the filter chooses
	Partly string // what is missing, in words
	Busy   bool   // a search goes on: ask again after the next of Changes
}

// Death is one of the times that a delivery died.
type Death struct {
	At      deadletter.Position
	Failed  time.Time
	Reason  string
	Code    int
	State   deadletter.State
	Replays int // before it
}

// Detail is all of one dead letter.
type Detail struct {
	Record  *deadletter.Record // of the last death, whole
	Deaths  []Death            // the oldest first
	Replays []deadletter.Audit // and dismissals, in their order
}

// Groups counts the letters that a filter chooses by destination, action, reason
// and Twilio's code.
func (s *Store) Groups(ctx context.Context, f deadletter.Filter) (Groups, error) {
	return Groups{}, nil
}

// Histogram counts the letters that a filter chooses by when they failed. step
// is the buckets' length, at least a minute; a step that makes more than 1,000
// buckets is lengthened.
func (s *Store) Histogram(ctx context.Context, f deadletter.Filter, step time.Duration) (Histogram, error) {
	return Histogram{}, nil
}

// Letters are a page of the letters that a filter chooses, newest first.
func (s *Store) Letters(ctx context.Context, f deadletter.Filter, offset, limit int) (Page, error) {
	return Page{}, nil
}

// Letter is the dead letter with an id, or with one that begins so. The error is
// ErrUnknown, an *AmbiguousError, or Kafka's.
func (s *Store) Letter(ctx context.Context, id string) (*Detail, error) {
	return nil, ErrUnknown
}

// Export calls each for all letters that a filter chooses, whole and with their
// states, newest first, and looks through all of them. A record is each's until it
// returns; an error of each's ends it.
func (s *Store) Export(ctx context.Context, f deadletter.Filter, each func(*deadletter.Record) error) error {
	return nil
}
