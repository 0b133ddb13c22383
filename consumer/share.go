package consumer

import (
	"sync"
	"time"

	"engage-worker/ratelimit"
)

// share is this replica's part of the regions' rates. It is safe for
// concurrent use.
type share struct {
	tell func(owned []int, total int)

	mu      sync.Mutex
	lapse   *time.Timer // gives the part up
	lapseAt time.Time
}

// hold tells this replica's part of the regions' rates, and holds it for
// so long: as long as nobody else can own the shards.
func (s *share) hold(owned []int, total int, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(owned, total)
	s.lapseAt = time.Now().Add(d)
	if s.lapse == nil {
		s.lapse = time.AfterFunc(d, s.lapsed)
	} else {
		s.lapse.Reset(d)
	}
}

// leave is for the time between two generations. Who is given the shards
// meanwhile can't use their part of the rate for a window; if we are, we hold
// it on.
func (s *share) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if soon := time.Now().Add(ratelimit.Window); soon.Before(s.lapseAt) {
		s.lapseAt = soon
		s.lapse.Reset(ratelimit.Window)
	}
}

// giveUp ends hold.
func (s *share) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lapse != nil {
		s.lapse.Stop()
	}
	s.lapseAt = time.Time{}
	s.tell(nil, 0)
}

func (s *share) lapsed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !time.Now().Before(s.lapseAt) { // nor was it told again just now
		s.tell(nil, 0)
	}
}
