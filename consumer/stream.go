package consumer

import (
	"context"
	"errors"
	"math/bits"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/partition"
)

const (
	fetchBytes = 1 << 20 // of one answer
	fetchWait  = 500 * time.Millisecond

	// An answer is read from its connection while its events are taken in.
	// Where that pauses, the connection's deadline moves along.
	readGrace = 10 * time.Second

	// skimAfter is how many records that nobody wants, one after another, make
	// a stream skim. One that is wanted after all is fetched twice, so that
	// must be rare.
	skimAfter = 10_000
	skimBytes = 64 << 10 // of the longest value that is skimmed

	// longWait is from when on a tier's reader gives its connection up until
	// the next record is due; brokers close idle ones after minutes.
	longWait = 20 * time.Second
)

// stream reads one topic's partition of a shard and follows what is open of it.
type stream struct {
	shard *shard
	topic string
	name  string        // the metrics' label: source, or the tier's name
	delay time.Duration // the tier's; 0 for the source
	log   zerolog.Logger

	// Owned by run.
	pos    int64 // the next offset to fetch
	dueAt  time.Time
	sight  sighting
	passed counts
	idle   int    // records that nobody wanted since the last that somebody did
	value  []byte // of the record that is skimmed; nil before the first

	mu   sync.Mutex
	mark *watermark
	room chan struct{} // of size one: the span got shorter

	awaited []awaited // traced events that are settled and not committed; guarded by mu

	end   atomic.Int64 // of the log, as last seen; -1 unknown
	fetch fetchMetrics
}

// counts collects what run counts between two fetches, so that events nobody
// wants cost no atomic operation each.
type counts struct{ read, noMatch, tombstones, control int }

type fetchMetrics struct {
	read, noMatch, tombstones prometheus.Counter
}

// run reads until ctx ends. Whatever goes wrong on the way is logged and
// tried again with backoff; no event is passed over.
func (s *stream) run(ctx context.Context) {
	backoff := backoff{initial: 100 * time.Millisecond, max: 5 * time.Second}
	for ctx.Err() == nil {
		progress, err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if progress {
			backoff.reset()
		}
		switch {
		case err == nil:
			// A record that isn't due yet.
			if !sleep(ctx, time.Until(s.dueAt)) {
				return
			}
			continue
		case errors.Is(err, kafka.OffsetOutOfRange):
			if err = s.reposition(ctx); err == nil {
				continue
			}
		}
		event := s.log.Warn()
		if isLeaderMove(err) {
			event = s.log.Info()
		}
		event.Err(err).Int64("offset", s.pos).Msg("reading is interrupted and goes on shortly")
		if !sleep(ctx, backoff.next()) {
			return
		}
	}
}

// session reads over one connection. It returns nil when the next record
// isn't due for long enough to give the connection up.
func (s *stream) session(ctx context.Context) (progress bool, err error) {
	conn, err := s.shard.cluster.Dial(ctx, s.topic, s.shard.id)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	take := func(m *kafka.Message) bool { return s.take(ctx, conn, m) }
	for {
		s.dueAt = time.Time{}
		if s.idle >= skimAfter {
			if err := s.skim(ctx, conn); err != nil {
				return progress, err
			}
			progress = true
		}
		next, end, err := partition.Fetch(ctx, conn, s.pos, partition.FetchConfig{MaxBytes: fetchBytes, MaxWait: fetchWait}, take)
		if s.dueAt.IsZero() && ctx.Err() == nil {
			s.passTo(next) // over what compaction took away
		}
		s.seen(end)
		if err != nil {
			return progress, err
		}
		progress = true
		if wait := time.Until(s.dueAt); !s.dueAt.IsZero() && wait > 0 {
			if wait > longWait {
				return true, nil
			}
			if !sleep(ctx, wait) {
				return true, ctx.Err()
			}
		}
	}
}

// skim passes over records that nobody wants by their values alone, which
// allocates nothing, up to the first that needs more of a look, or the log's end.
func (s *stream) skim(ctx context.Context, conn *kafka.Conn) error {
	if s.value == nil {
		s.value = make([]byte, skimBytes)
	}
	for {
		next, end, clean, err := partition.Skim(ctx, conn, s.pos, partition.FetchConfig{MaxBytes: fetchBytes, MaxWait: fetchWait}, s.value, s.skimmed)
		progress := s.passTo(next)
		s.seen(end)
		if err != nil || !clean {
			return err
		}
		if !progress || next >= end {
			s.idle = 0 // what is new is read whole, and once
			return nil
		}
	}
}

// passTo goes on at next: nobody waits for what lies before it, but for open
// events. False when that isn't ahead.
func (s *stream) passTo(next int64) bool {
	if next <= s.pos {
		return false
	}
	s.pos = next
	s.mu.Lock()
	s.mark.advance(next)
	s.mu.Unlock()
	return true
}

// seen notes the log's end, which is negative where an answer didn't tell,
// and what was counted on the way.
func (s *stream) seen(end int64) {
	if end >= 0 {
		s.end.Store(end)
	}
	s.flush()
}

// skimmed tells whether a value is an event that nobody wants.
func (s *stream) skimmed(value []byte) bool {
	match := s.shard.destination.Match(value)
	if match.Actions != 0 || match.Malformed != nil {
		return false
	}
	s.passed.read++
	s.passed.noMatch++
	return true
}

// take takes one record in; false ends the fetch before the record counts as
// taken. It waits where the open span or the open bytes are at their bounds.
func (s *stream) take(ctx context.Context, conn *kafka.Conn, m *kafka.Message) bool {
	if m.Offset < s.pos {
		return true
	}
	s.passed.read++
	ev, wanted := s.examine(ctx, m)
	if !wanted {
		if ev != nil { // not now
			s.passed.read--
			return false
		}
		s.pos = m.Offset + 1
		s.mu.Lock()
		s.mark.pass(m.Offset)
		s.mu.Unlock()
		s.idle++
		return true
	}
	s.idle = 0
	if !s.admit(ctx, conn, ev) {
		return false
	}
	s.pos = m.Offset + 1
	s.shard.submit(ev)
	return true
}

// notNow is examine's answer for a record that can't be taken in yet.
var notNow = &event{}

// examine decides whether a record becomes an open event.
func (s *stream) examine(ctx context.Context, m *kafka.Message) (ev *event, wanted bool) {
	if s.delay > 0 {
		return s.examineRetry(m)
	}
	if m.Value == nil {
		// Null or empty: kafka-go's Conn doesn't tell.
		exact, err := s.shard.cluster.Record(ctx, s.topic, s.shard.id, m.Offset)
		if err != nil {
			s.log.Warn().Err(err).Int64("offset", m.Offset).Msg("an empty value can't be told from a null one yet")
			s.dueAt = time.Now().Add(time.Second)
			return notNow, false
		}
		*m = exact
	}
	match := s.shard.destination.Match(m.Value)
	switch {
	case match.Tombstone:
		s.passed.tombstones++
		return nil, false
	case match.Malformed != nil:
		if partition.IsMarker(m) {
			s.passed.control++
			return nil, false
		}
	case match.Actions == 0:
		s.passed.noMatch++
		return nil, false
	}
	o := sourceOrigin(m)
	if o.replayed {
		if match.Actions = s.shard.replayed(match.Actions, &o); match.Actions == 0 && match.Malformed == nil {
			s.passed.noMatch++
			return nil, false
		}
	}
	return &event{stream: s, msg: *m, origin: o, actions: match.Actions, malformed: match.Malformed}, true
}

// examineRetry is examine for a tier's record.
func (s *stream) examineRetry(m *kafka.Message) (*event, bool) {
	if partition.IsMarker(m) {
		s.passed.control++
		return nil, false
	}
	o, ok := retryOrigin(m)
	if !ok {
		// Not ours: somebody wrote into our topic. An analyst should see it.
		o = sourceOrigin(m)
		return &event{stream: s, msg: *m, origin: o, malformed: errNotARetry}, true
	}
	if due := s.due(m, o.notBefore); time.Until(due) > 0 {
		s.dueAt = due
		return notNow, false
	}
	ev := &event{stream: s, msg: *m, origin: o}
	if i := s.shard.actionIndex(o.action); i >= 0 {
		ev.actions = 1 << i
	}
	return ev, true
}

// sighting is when a tier's records up to an offset were there for sure.
type sighting struct {
	end int64
	at  time.Time
}

// due is when a tier's record may be taken in: when its writer meant it to, but
// at most the tier's delay after it was seen, whatever the writer's clock said.
func (s *stream) due(m *kafka.Message, notBefore time.Time) time.Time {
	if m.Offset >= s.sight.end {
		s.sight = sighting{end: max(m.HighWaterMark, m.Offset+1), at: time.Now()}
	}
	if latest := s.sight.at.Add(s.delay); latest.Before(notBefore) {
		return latest
	}
	return notBefore
}

var errNotARetry = errors.New("a record in a retry topic that says neither where it came from nor for which action it is")

// admit waits for room and opens the event; false when ctx ended first.
func (s *stream) admit(ctx context.Context, conn *kafka.Conn, ev *event) bool {
	s.end.Store(max(s.end.Load(), ev.msg.HighWaterMark)) // what follows may take long
	cost, err := s.shard.budget.acquire(ctx, recordSize(&ev.msg))
	if err != nil {
		return false
	}
	ev.cost = cost
	waited := false
	for {
		s.mu.Lock()
		if s.mark.span() < s.shard.MaxUncommitted {
			ev.mark, ev.ticket = s.mark, s.mark.open(ev.msg.Offset)
			s.mu.Unlock()
			if waited {
				s.shard.pressed.Add(-1)
			}
			// Reading the rest of the answer may have had to wait for long.
			conn.SetReadDeadline(time.Now().Add(readGrace))
			return true
		}
		s.mu.Unlock()
		if !waited {
			waited = true
			s.shard.pressed.Add(1)
		}
		select {
		case <-s.room:
		case <-ctx.Done():
			s.shard.pressed.Add(-1)
			s.shard.budget.release(cost)
			return false
		}
	}
}

// done settles an open event.
func (s *stream) done(ev *event) {
	s.mu.Lock()
	ev.mark.done(ev.ticket)
	s.await(ev)
	s.mu.Unlock()
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// committable is the offset up to which all is done.
func (s *stream) committable() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mark.commit
}

// measure sets the gauges and returns the open span. A gauge isn't there
// before it is known: a new owner's lag of 0 would say that all is done.
func (s *stream) measure() int {
	s.mu.Lock()
	commit, span := s.mark.commit, s.mark.span()
	s.mu.Unlock()
	m, labels := s.shard.metrics, s.labels()
	m.UncommittedSpan.WithLabelValues(labels...).Set(float64(span))
	m.Watermark.WithLabelValues(labels...).Set(float64(commit))
	if end := s.end.Load(); end >= 0 {
		m.Lag.WithLabelValues(labels...).Set(float64(max(0, end-commit)))
	}
	return span
}

// labels are those of the stream's gauges.
func (s *stream) labels() []string {
	return []string{s.shard.Destination, s.name, strconv.Itoa(s.shard.id)}
}

func (s *stream) flush() {
	add := func(c prometheus.Counter, n int) {
		if n > 0 {
			c.Add(float64(n))
		}
	}
	add(s.fetch.read, s.passed.read)
	add(s.fetch.noMatch, s.passed.noMatch)
	add(s.fetch.tombstones, s.passed.tombstones)
	s.passed = counts{}
}

// reposition goes on where the log still is after the broker refused the
// position: what retention deleted before it was read is lost to everyone,
// and said; a log that ends before the position was truncated or made anew,
// and is read from its beginning (the ledger knows what was sent of it).
func (s *stream) reposition(ctx context.Context) error {
	first, end, err := s.shard.cluster.Bounds(ctx, s.topic, s.shard.id)
	if err != nil {
		return err
	}
	switch {
	case s.pos < first:
		s.log.Error().Int64("offset", s.pos).Int64("first", first).Int64("deleted", first-s.pos).
			Msg("the topic's retention deleted records before they were read; going on at the log's first offset")
		s.mu.Lock()
		s.mark.advance(first)
		s.mu.Unlock()
	case s.pos > end:
		s.log.Error().Int64("offset", s.pos).Int64("end", end).
			Msg("the log ends before the committed offset: it was truncated or the topic made anew; reading from its first offset")
		s.mu.Lock()
		s.mark = newWatermark(first)
		s.mu.Unlock()
	default:
		return nil
	}
	s.pos = first
	return nil
}

// isLeaderMove tells errors that come with a broker's restart or a leader's move.
func isLeaderMove(err error) bool {
	for _, known := range []error{kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.UnknownLeaderEpoch, kafka.FencedLeaderEpoch} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

func recordSize(m *kafka.Message) int {
	n := len(m.Key) + len(m.Value)
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// each calls f with the index of each bit set in mask.
func each(mask uint64, f func(i int) bool) bool {
	for ; mask != 0; mask &= mask - 1 {
		if !f(bits.TrailingZeros64(mask)) {
			return false
		}
	}
	return true
}
