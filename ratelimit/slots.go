package ratelimit

import (
	"math"
	"time"
)

// Window is the second in which a rate holds, and a margin for what the
// network does to the spacing.
const Window = 1020 * time.Millisecond

// slots are what a replica holds of a rate. A rate R is n slots, n being R
// rounded up, each of which may be used once in any span; see the package
// comment. A slot in use rests for a span, and a held slot either rests, is
// ready, or is taken by a permit whose request hasn't started.
//
// It is pure arithmetic over the times that it is told, which must not go
// backwards; it is not safe for concurrent use. Its memory follows what was
// used during the last span, not the rate.
type slots struct {
	span    time.Duration
	ready   int
	resting rests
	taken   int
	owed    int // slots that were lost while permits had taken them
}

// slotsOf is a rate in slots.
func slotsOf(rate float64) (n int, span time.Duration) {
	if !(rate > 0) {
		return 0, Window
	}
	n = int(math.Ceil(min(rate, math.MaxInt32) * (1 - rounding)))
	n = max(n, 1)
	if rate >= float64(n) {
		return n, Window
	}
	return n, time.Duration(min(float64(Window)*float64(n)/rate, math.MaxInt64/4))
}

// held is how many there are.
func (s *slots) held() int { return s.ready + s.resting.n + s.taken - s.owed }

// settle makes ready what has rested.
func (s *slots) settle(now time.Time) { s.ready += s.resting.until(now) }

// gain adds n slots that may be used after a while.
func (s *slots) gain(n int, after time.Duration, now time.Time) {
	switch {
	case n <= 0:
	case after > 0:
		s.resting.add(now.Add(after), n)
	default:
		paid := min(s.owed, n)
		s.owed -= paid
		s.ready += n - paid
	}
}

// lose gives n slots up: those that may be used soonest. What is taken by
// permits can't be given up, so that as many of these must not start.
func (s *slots) lose(n int, now time.Time) {
	_, lost := s.part(n, now)
	s.owed += n - lost
}

// part gives up to n slots away, those that may be used soonest, and says
// after what time all of them may be used.
func (s *slots) part(n int, now time.Time) (after time.Duration, parted int) {
	s.settle(now)
	parted = min(n, s.ready)
	s.ready -= parted
	if parted == n {
		return 0, n
	}
	last, k := s.resting.take(n - parted)
	if k == 0 {
		return 0, parted
	}
	return last.Sub(now), parted + k
}

// next is when k slots may be taken together, or false when no time will come
// unless something else happens.
func (s *slots) next(k int, now time.Time) (at time.Time, ok bool) {
	s.settle(now)
	if s.ready >= k {
		return now, true
	}
	return s.resting.nth(k - s.ready)
}

// take lets a permit have k slots; next said that they are ready.
func (s *slots) take(k int) { s.ready -= k; s.taken += k }

// lost reports whether a permit's slots can't be used: as many were lost while
// permits had them.
func (s *slots) lost() bool { return s.owed > 0 }

// start uses k taken slots that aren't lost. Each is used once, or as often as
// it takes to come to that many uses: then it rests for as many spans.
func (s *slots) start(k, uses int, now time.Time) {
	s.taken -= k
	each, more := uses/k, uses%k
	s.resting.add(now.Add(time.Duration(each)*s.span), k-more)
	if more > 0 {
		s.resting.add(now.Add(time.Duration(each+1)*s.span), more)
	}
}

// giveBack returns k taken slots unused.
func (s *slots) giveBack(k int) {
	s.taken -= k
	paid := min(s.owed, k)
	s.owed -= paid
	s.ready += k - paid
}

// rests are the times until which slots rest, in order. Slots that rest
// equally long are one entry.
type rests struct {
	ring []rest // its length is a power of two or zero
	head int    // index of the first
	used int    // entries
	n    int    // slots
}

type rest struct {
	until time.Time
	n     int
}

func (r *rests) at(i int) *rest { return &r.ring[(r.head+i)&(len(r.ring)-1)] }

// add lets n slots rest. Nearly always that is longer than all others.
func (r *rests) add(until time.Time, n int) {
	if r.used == len(r.ring) {
		grown := make([]rest, max(16, 2*r.used))
		for i := range r.used {
			grown[i] = *r.at(i)
		}
		r.ring, r.head = grown, 0
	}
	r.n += n
	i := r.used
	r.used++
	for ; i > 0 && r.at(i-1).until.After(until); i-- {
		*r.at(i) = *r.at(i - 1)
	}
	*r.at(i) = rest{until, n}
}

// until takes out those that have rested by now, and counts them.
func (r *rests) until(now time.Time) (n int) {
	for r.used > 0 && !r.at(0).until.After(now) {
		n += r.at(0).n
		r.drop()
	}
	r.n -= n
	return n
}

// take takes out up to n, the first ones, and says until when the last of
// them rests.
func (r *rests) take(n int) (last time.Time, taken int) {
	for taken < n && r.used > 0 {
		first := r.at(0)
		k := min(n-taken, first.n)
		last, taken = first.until, taken+k
		if first.n -= k; first.n == 0 {
			r.drop()
		}
	}
	r.n -= taken
	return last, taken
}

func (r *rests) drop() {
	r.head = (r.head + 1) & (len(r.ring) - 1)
	r.used--
}

// nth is when the n-th of them has rested.
func (r *rests) nth(n int) (at time.Time, ok bool) {
	for i := range r.used {
		if n -= r.at(i).n; n <= 0 {
			return r.at(i).until, true
		}
	}
	return time.Time{}, false
}
