package consumer

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/consumer/callbacks"
	"engage-worker/consumer/delivery"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
)

// shard is a partition number while this replica owns it in one generation:
// that partition of the source, the retry topics and the ledger. It keeps the
// order of each key's events.
type shard struct {
	id      int
	gen     *generation
	streams []*intake.Stream
	ledger  *ledger.Ledger // nil without a ledger

	follower  *status.Follower  // nil where nobody follows what becomes of messages
	callbacks *callbacks.Reader // nil where Twilio isn't told to call back

	courier *delivery.Courier
	budget  *intake.Budget
	log     zerolog.Logger

	progress atomic.Int64 // when something was last settled, Unix ns

	seed   maphash.Seed
	mu     sync.Mutex
	chains map[uint64]*link // the last event of each record key in work, by its hash
}

// link is an event in its key's chain.
type link struct {
	event   *intake.Event
	chained bool   // the event has a key
	hash    uint64 // of the key
	next    *link  // behind it; guarded by shard.mu
}

// submit puts an event behind the others with its record key, or to work at
// once. Events without a key have no order. Only streams call it.
func (s *shard) submit(ev *intake.Event) {
	l := &link{event: ev}
	if len(ev.Message.Key) == 0 {
		s.gen.hands.give(task{s, l})
		return
	}
	l.chained, l.hash = true, maphash.Bytes(s.seed, ev.Message.Key)
	s.mu.Lock()
	last, busy := s.chains[l.hash]
	s.chains[l.hash] = l
	if busy {
		last.next = l
	}
	s.mu.Unlock()
	if !busy {
		s.gen.hands.give(task{s, l})
	}
}

// follow handles a key's events one after the other.
func (s *shard) follow(l *link) {
	for ; l != nil; l = s.behind(l) {
		s.handle(l)
	}
}

// behind is what comes after an event that was handled, or nil.
func (s *shard) behind(l *link) *link {
	if !l.chained {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.next == nil {
		delete(s.chains, l.hash)
	}
	return l.next
}

// followed reports whether an event of the same key waits behind l's.
func (s *shard) followed(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.next != nil
}

// handle settles an event. One that can't be settled because the shard is
// being given up stays open.
func (s *shard) handle(l *link) {
	ev := l.event
	defer ev.Release()
	if s.gen.intake.Err() != nil {
		return
	}
	ctx, end := ev.Trace()
	defer end()
	if s.courier.Settle(ctx, ev, func() bool { return s.followed(l) }) {
		ev.Settled()
		s.progress.Store(time.Now().UnixNano())
	}
}

// UnderPressure reports whether something waits for room that open events take.
func (s *shard) UnderPressure() bool {
	for _, st := range s.streams {
		if st.Full() {
			return true
		}
	}
	return s.budget.Short()
}

// measure sets the streams' gauges and returns the number of events in their
// open spans.
func (s *shard) measure() int {
	n := 0
	for _, st := range s.streams {
		n += st.Measure()
	}
	return n
}
