package ratelimit

import (
	"math"
	"time"
)

// SenderRate is a sender's rate, of all of the fleet.
type SenderRate struct {
	Name string  // for people, and the metrics' label
	Rate float64 // in segments of an SMS per second, messages of anything else
}

// sender is a sender's rate: its slots, whose they are, and who waits for
// them. Who has its turn with the sender then has its turn at the gate. It is
// guarded by Gate.mu.
type sender struct {
	name  string
	pacer *pacer
	book  *book
	line  line
	turn  choice // of the line; within Gate.choose

	// A message of several uses needs as many slots at once. Where the replica
	// has fewer, it asks for more; after LoanTerm it makes do with what there is.
	short      int       // slots that some message needed; 0 when there are as many
	shortSince time.Time // since then
}

func newSender(region, id string, c SenderRate) *sender {
	// A burst of all after a lull, as a region has it by default.
	s := &sender{name: c.Name, pacer: newPacer(c.Rate, math.MaxInt32, time.Now()), line: newLine()}
	s.book = newBook("", region+"/"+id, s.pacer.fleet, &s.pacer.slots)
	return s
}

// settle ends loans that are over, and fits the pace to what is held.
func (s *sender) settle(now time.Time) {
	s.book.expire(now)
	s.pacer.adjust(now)
}

// next is when a message of so many uses may have its slots, or when to look
// again. ok is false when only another call can change the answer.
func (s *sender) next(uses int, now time.Time) (at time.Time, ok bool) {
	want, held := min(uses, s.book.fleet), s.pacer.slots.held()
	if held >= s.short {
		s.short = 0
	}
	if held < want {
		if s.short == 0 {
			s.shortSince = now
		}
		s.short = max(s.short, want)
		patience := s.shortSince.Add(LoanTerm)
		if held <= 0 {
			return time.Time{}, false
		}
		if now.Before(patience) {
			return patience, true
		}
		want = held
	}
	return s.pacer.next(want, now)
}

// take takes the slots for a message; next said that it may have them now.
func (s *sender) take(uses int, now time.Time) (k int) {
	k = min(uses, s.book.fleet, s.pacer.slots.ready)
	s.pacer.take(k, now)
	return k
}

// wait is for how long the messages that go before a new one of that purpose
// keep the sender busy, if the fleet's whole rate were here.
func (s *sender) wait(p Purpose) time.Duration {
	return time.Duration(float64(s.line.ahead(p)) * float64(s.pacer.slots.span) / float64(s.book.fleet))
}

// tick says what to write of the sender's rate now.
func (s *sender) tick(now time.Time) []Note {
	if s.line.n == 0 {
		s.short = 0
	}
	notes := s.book.tick(s.line.uses[Marketing]+s.line.uses[Transactional], now)
	s.pacer.adjust(now)
	return notes
}

// passable is how many of the messages that wait its slots let through at
// most in a span.
func (s *sender) passable() int { return max(0, min(s.line.n, s.pacer.slots.held())) }
