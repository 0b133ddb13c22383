package consumer

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/consumer/ledger"
)

// event is a record that some action wants, or that is malformed, from when
// it is taken in until it is settled. One goroutine at a time has it.
type event struct {
	stream    *stream
	mark      *watermark // guarded by stream.mu
	ticket    ticket
	cost      int64 // of the budget
	msg       kafka.Message
	origin    origin
	actions   uint64 // bit i: the destination's action i
	malformed error
	exact     bool              // msg tells null from empty
	next      *event            // behind it in its key's chain; guarded by shard.mu
	traced    trace.SpanContext // of its process span
}

// shard is a partition number while this replica owns it in one generation:
// that partition of the source, the retry topics and the ledger.
type shard struct {
	*generation
	id      int
	streams []*stream
	ledger  *ledger.Ledger // nil without a ledger
	log     zerolog.Logger

	pressed  atomic.Int64 // streams whose span is full
	progress atomic.Int64 // when something was last settled, Unix ns

	events sync.WaitGroup // goroutines of open events
	seed   maphash.Seed
	mu     sync.Mutex
	chains map[uint64]*event            // the last event of each record key in work, by its hash
	active map[ledger.Key]chan struct{} // deliveries in work; closed at their end
}

// submit puts an event behind the others with its record key, or to work at
// once. Events without a key have no order. Only streams call it.
func (s *shard) submit(ev *event) {
	if len(ev.msg.Key) == 0 {
		s.events.Go(func() { s.handle(ev) })
		return
	}
	h := maphash.Bytes(s.seed, ev.msg.Key)
	s.mu.Lock()
	last, busy := s.chains[h]
	s.chains[h] = ev
	if busy {
		last.next = ev
	}
	s.mu.Unlock()
	if !busy {
		s.events.Go(func() { s.follow(h, ev) })
	}
}

// follow handles a key's events one after the other.
func (s *shard) follow(h uint64, ev *event) {
	for ev != nil {
		s.handle(ev)
		s.mu.Lock()
		next := ev.next
		if next == nil {
			delete(s.chains, h)
		}
		s.mu.Unlock()
		ev = next
	}
}

// followed tells whether an event of the same key waits behind ev.
func (s *shard) followed(ev *event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ev.next != nil
}

// handle settles all deliveries of an event, in the order of the actions. An
// event that can't be settled because the shard is being given up stays open.
func (s *shard) handle(ev *event) {
	defer s.budget.release(ev.cost)
	if s.intake.Err() != nil {
		return
	}
	if s.settle(ev) {
		ev.stream.done(ev)
		s.progress.Store(time.Now().UnixNano())
	}
}

// settle makes the event's deliveries; false leaves the event open.
func (s *shard) settle(ev *event) bool {
	ctx, end := s.trace(ev)
	defer end()
	if ev.malformed != nil {
		return s.buryMalformed(ev)
	}
	decoded, err := s.destination.Decode(ev.msg.Value)
	if err != nil {
		ev.malformed = err
		return s.buryMalformed(ev)
	}
	if ev.actions == 0 { // a retry whose action the configuration no longer has
		return s.buryOrphan(ev, decoded)
	}
	return each(ev.actions, func(i int) bool {
		d := &delivery{shard: s, ctx: ctx, ev: ev, event: decoded, index: i, action: s.actions[i], attempts: ev.origin.attempts, firstFailedAt: ev.origin.firstFailedAt}
		return d.run()
	})
}

// exclusive waits until no other delivery in this shard has the key, and
// takes it. The second of two equal events, or an event and its own retry,
// thus finds the outcome of the first. ok is false when ctx ended first.
func (s *shard) exclusive(ctx context.Context, key ledger.Key) (release func(), ok bool) {
	for {
		s.mu.Lock()
		busy, taken := s.active[key]
		if !taken {
			done := make(chan struct{})
			s.active[key] = done
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.active, key)
				s.mu.Unlock()
				close(done)
			}, true
		}
		s.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// underPressure tells that something waits for room that open events take.
func (s *shard) underPressure() bool { return s.pressed.Load() > 0 || s.budget.short() }

// open is the number of events in the open spans of all streams.
func (s *shard) open() int {
	n := 0
	for _, st := range s.streams {
		n += st.measure()
	}
	return n
}
