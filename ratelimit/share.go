package ratelimit

import "time"

// share is what a replica holds of the fleet's rate, in messages per second.
// What is in force is the least that was held during the last Window.
type share struct {
	steps []step // values rise strictly; the last is the one held now
}

type step struct {
	value float64
	until time.Time // when it was given up; the zero time for the last
}

// newShare holds nothing, and has held nothing ever since.
func newShare() share { return share{steps: []step{{}}} }

// set holds value from now on.
func (s *share) set(value float64, now time.Time) {
	n := len(s.steps)
	for n > 0 && s.steps[n-1].value >= value {
		n-- // less is held now: the greater value can't be the least again
	}
	if n > 0 && s.steps[n-1].until.IsZero() {
		s.steps[n-1].until = now
	}
	s.steps = append(s.steps[:n], step{value: value})
}

// inForce is the share that may be used now. next is when it rises, or the
// zero time when it doesn't.
func (s *share) inForce(now time.Time) (value float64, next time.Time) {
	n := 0
	for !s.steps[n].until.IsZero() && !now.Before(s.steps[n].until.Add(Window)) {
		n++
	}
	if n > 0 {
		s.steps = append(s.steps[:0], s.steps[n:]...)
	}
	if until := s.steps[0].until; !until.IsZero() {
		next = until.Add(Window)
	}
	return s.steps[0].value, next
}
