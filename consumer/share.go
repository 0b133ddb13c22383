package consumer

import (
	"sync"
	"time"

	"engage-worker/ratelimit"
)

// share is this replica's part of the regions' rates. It is safe for
// concurrent use.
type share struct {
	tell func(owned []int, total int, until time.Time)

	mu    sync.Mutex
	owned []int
	total int
	until time.Time
}

// hold tells this replica's part of the regions' rates, and that it is held
// for so long: as long as nobody else can own the shards.
func (s *share) hold(owned []int, total int, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owned, s.total, s.until = owned, total, time.Now().Add(d)
	s.tell(s.owned, s.total, s.until)
}

// leave is for the time between two generations. Who is given the shards
// meanwhile can't use their part of the rate for a window; if we are, we hold
// it on.
func (s *share) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if soon := time.Now().Add(ratelimit.Window); soon.Before(s.until) {
		s.until = soon
		s.tell(s.owned, s.total, s.until)
	}
}

// giveUp ends hold.
func (s *share) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owned, s.total, s.until = nil, 0, time.Time{}
	s.tell(nil, 0, s.until)
}
