package store

import (
	"context"
	"time"

	"engage-worker/deadletter"
)

// Series is a replay as the record of replays tells of it: a plan, with those
// that went on with it.
type Series struct {
	ID       string
	By       string
	Asked    string    // what for, as letters.Choice.Query writes it; "": it isn't known
	Begun    time.Time // zero: an earlier version's, or deleted by retention
	Finished time.Time // zero: it isn't
	Last     time.Time // when it last wrote something down

	Published int // events that are in the source again
	Intended  int // of which nothing more was said yet
	Abandoned int // surely not published
	Outcome   map[deadletter.State]int
}

// Series are the replays, the latest first.
func (s *Store) Series() []Series { return nil }

// Replayed are a page of the letters that a series has replayed, newest first.
func (s *Store) Replayed(ctx context.Context, series string, offset, limit int) (Page, error) {
	return Page{}, nil
}
