package store

import (
	"time"

	"engage-worker/deadletter"
)

// Funnel is what became of the messages of an action.
type Funnel struct {
	Destination, Action string

	Accepted int // all that Twilio accepted in the span
	// Of those, by the last status.
	Pending     int // accepted, and not handed on yet
	Sent        int // handed on, and the end isn't known yet
	Delivered   int // without those that were read
	Read        int
	Undelivered int
	Failed      int
	Canceled    int
	Unknown     int // the end was never told

	Dead []deadletter.Count // letters that failed in the span, by reason, most first
}

// Point counts the messages that were accepted in a step of time.
type Point struct {
	From      time.Time
	Accepted  int
	Delivered int // of those, with what was read
	Failed    int // likewise, with undelivered and canceled
}

// Funnel tells what became of what was accepted in the last span, at most 7 days, for
// each destination and action that has anything, in their order.
func (s *Store) Funnel(span time.Duration) []Funnel { return nil }

// Messages counts what was accepted in the last span by steps, the oldest first. A
// step is a whole number of minutes, or of hours where the span is above a day.
func (s *Store) Messages(span, step time.Duration) []Point { return nil }

// Segments is how many segments a message of an action has had on average. ok is
// false where none is known.
func (s *Store) Segments(destination, action string) (average float64, ok bool) { return 0, false }
