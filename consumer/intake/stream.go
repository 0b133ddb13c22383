package intake

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"engage-worker/actions"
	"engage-worker/internal/kafka/partition"
	"engage-worker/internal/pause"
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

// Stream reads one topic's partition of a shard and follows what is open of it.
//
// Its life: New, Begin, Run, each once. The other methods may be called by
// any goroutine after Begin.
type Stream struct {
	cfg   Config
	parts Parts

	// Owned by Run.
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

	full  atomic.Bool  // an event waits for the span to get shorter
	end   atomic.Int64 // of the log, as last seen; -1 unknown
	fetch fetchMetrics
}

// New makes a Stream, which does nothing yet.
func New(cfg Config, parts Parts) *Stream {
	parts.Log = parts.Log.With().Str("topic", cfg.Topic).Logger()
	m, labels := parts.Metrics, []string{cfg.Destination, cfg.Name}
	s := &Stream{
		cfg: cfg, parts: parts, pos: cfg.Offset, room: make(chan struct{}, 1),
		fetch: fetchMetrics{
			read:       m.RecordsRead.WithLabelValues(labels...),
			noMatch:    m.Events.WithLabelValues(cfg.Destination, "", "skipped", "no_match"),
			tombstones: m.Events.WithLabelValues(cfg.Destination, "", "skipped", "tombstone"),
		},
	}
	s.end.Store(-1)
	return s
}

// Begin settles where the stream starts.
func (s *Stream) Begin(ctx context.Context) error {
	if s.pos < 0 { // no offset: a partition added later, or a tier never read
		first, _, err := s.parts.Cluster.Bounds(ctx, s.cfg.Topic, s.cfg.Shard)
		if err != nil {
			return err
		}
		s.pos = first
	}
	s.mark = newWatermark(s.pos)
	return nil
}

// Topic is what the stream reads.
func (s *Stream) Topic() string { return s.cfg.Topic }

// Full reports whether an event waits for the open span to get shorter.
func (s *Stream) Full() bool { return s.full.Load() }

// counts collects what run counts between two fetches, so that events nobody
// wants cost no atomic operation each.
type counts struct {
	read, noMatch, tombstones, control int

	enveloped bool // some of noMatch
	envelopes [actions.NumEnvelopes]int
}

// unwanted counts an event that no trigger wants.
func (c *counts) unwanted(envelope actions.Envelope) {
	c.noMatch++
	if envelope != actions.EnvelopeNone {
		c.enveloped = true
		c.envelopes[envelope]++
	}
}

type fetchMetrics struct {
	read, noMatch, tombstones prometheus.Counter
}

// Run reads until ctx ends. Whatever goes wrong on the way is logged and
// tried again with backoff; no event is passed over.
func (s *Stream) Run(ctx context.Context) {
	pauses := pause.Growing(100*time.Millisecond, 5*time.Second)
	for ctx.Err() == nil {
		progress, err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if progress {
			pauses.Reset()
		}
		switch {
		case err == nil:
			// A record that isn't due yet.
			if !pause.For(ctx, time.Until(s.dueAt)) {
				return
			}
			continue
		case errors.Is(err, kafka.OffsetOutOfRange):
			if err = s.reposition(ctx); err == nil {
				continue
			}
		}
		event := s.parts.Log.Warn()
		if isLeaderMove(err) {
			event = s.parts.Log.Info()
		}
		event.Err(err).Int64("offset", s.pos).Msg("reading is interrupted and goes on shortly")
		if !pause.For(ctx, pauses.NextBackOff()) {
			return
		}
	}
}

// session reads over one connection. It returns nil when the next record
// isn't due for long enough to give the connection up.
func (s *Stream) session(ctx context.Context) (progress bool, err error) {
	conn, err := s.parts.Cluster.Dial(ctx, s.cfg.Topic, s.cfg.Shard)
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
			if !pause.For(ctx, wait) {
				return true, ctx.Err()
			}
		}
	}
}

// skim passes over records that nobody wants by their values alone, which
// allocates nothing, up to the first that needs more of a look, or the log's end.
func (s *Stream) skim(ctx context.Context, conn *kafka.Conn) error {
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
func (s *Stream) passTo(next int64) bool {
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
func (s *Stream) seen(end int64) {
	if end >= 0 {
		s.end.Store(end)
	}
	s.flush()
}

// skimmed reports whether a value is an event that nobody wants.
func (s *Stream) skimmed(value []byte) bool {
	match := s.parts.Matcher.Match(value)
	if match.Actions != 0 || match.Malformed != nil {
		return false
	}
	s.passed.read++
	s.passed.unwanted(match.Envelope)
	return true
}

// Committable is the offset up to which all is done.
func (s *Stream) Committable() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mark.commit
}

// Measure sets the gauges and returns the open span. A gauge isn't there
// before it is known: a new owner's lag of 0 would say that all is done.
func (s *Stream) Measure() int {
	s.mu.Lock()
	commit, span := s.mark.commit, s.mark.span()
	s.mu.Unlock()
	m, labels := s.parts.Metrics, s.labels()
	m.UncommittedSpan.WithLabelValues(labels...).Set(float64(span))
	m.Watermark.WithLabelValues(labels...).Set(float64(commit))
	if end := s.end.Load(); end >= 0 {
		m.Lag.WithLabelValues(labels...).Set(float64(max(0, end-commit)))
	}
	return span
}

// Forget takes the stream's gauges away: a former owner must not show them.
func (s *Stream) Forget() {
	m, labels := s.parts.Metrics, s.labels()
	m.Lag.DeleteLabelValues(labels...)
	m.UncommittedSpan.DeleteLabelValues(labels...)
	m.Watermark.DeleteLabelValues(labels...)
}

// labels are those of the stream's gauges.
func (s *Stream) labels() []string {
	return []string{s.cfg.Destination, s.cfg.Name, strconv.Itoa(s.cfg.Shard)}
}

func (s *Stream) flush() {
	add := func(c prometheus.Counter, n int) {
		if n > 0 {
			c.Add(float64(n))
		}
	}
	add(s.fetch.read, s.passed.read)
	add(s.fetch.noMatch, s.passed.noMatch)
	add(s.fetch.tombstones, s.passed.tombstones)
	if s.passed.enveloped {
		s.parts.Envelopes.add(s.passed.envelopes, s.cfg.Topic, s.pos)
	}
	s.passed = counts{}
}

// reposition goes on where the log still is after the broker refused the
// position: what retention deleted before it was read is lost to everyone,
// and said; a log that ends before the position was truncated or made anew,
// and is read from its beginning (the ledger knows what was sent of it).
func (s *Stream) reposition(ctx context.Context) error {
	first, end, err := s.parts.Cluster.Bounds(ctx, s.cfg.Topic, s.cfg.Shard)
	if err != nil {
		return err
	}
	switch {
	case s.pos < first:
		s.parts.Log.Error().Int64("offset", s.pos).Int64("first", first).Int64("deleted", first-s.pos).
			Msg("the topic's retention deleted records before they were read; going on at the log's first offset")
		s.mu.Lock()
		s.mark.advance(first)
		s.mu.Unlock()
	case s.pos > end:
		s.parts.Log.Error().Int64("offset", s.pos).Int64("end", end).
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

// isLeaderMove recognises errors that come with a broker's restart or a leader's move.
func isLeaderMove(err error) bool {
	for _, known := range []error{kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.UnknownLeaderEpoch, kafka.FencedLeaderEpoch} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
