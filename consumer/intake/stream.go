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
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/pause"
)

const (
	// A stream has at most one answer of the broker's in memory, and a block
	// of records that were decompressed from it.
	answerBytes = 1 << 20
	blockBytes  = 1 << 20

	// holdFor is how long a stream that can't take more in, or whose next
	// record isn't due, keeps what it has fetched.
	holdFor = time.Second
)

// Stream reads one topic's partition of a shard and follows what is open of it.
//
// Its life: New, Begin, Run, each once. The other methods may be called by
// any goroutine after Begin.
type Stream struct {
	cfg   Config
	parts Parts

	log *records.Log // nil before Begin; but for its End it is Run's

	// Owned by Run.
	pos    int64 // the next offset to take in
	sight  sighting
	passed counts
	claim  claim       // of the Budget's
	hold   *time.Timer // ends what it keeps while it waits; stopped otherwise

	unconfirmed     int // records that aren't the replays they say, since that was said
	saidUnconfirmed time.Time

	mu   sync.Mutex
	mark *watermark
	room chan struct{} // of size one: the span got shorter

	awaited []awaited // traced events that are settled and not committed; guarded by mu

	reached  atomic.Int64 // the timestamp of a record that was taken in lately, Unix ms
	caughtUp time.Time    // when all was seen to be done; Measure's

	full   atomic.Bool // an event waits for the span to get shorter
	fetch  fetchMetrics
	gauges gauges // Measure's
}

// New makes a Stream, which does nothing yet.
func New(cfg Config, parts Parts) *Stream {
	parts.Log = parts.Log.With().Str("topic", cfg.Topic).Logger()
	m, labels := parts.Metrics, []string{cfg.Destination, cfg.Name}
	hold := time.NewTimer(holdFor)
	hold.Stop()
	return &Stream{
		cfg: cfg, parts: parts, pos: cfg.Offset, room: make(chan struct{}, 1), claim: claim{granted: make(chan struct{}, 1)}, hold: hold,
		fetch: fetchMetrics{
			read:       m.RecordsRead.WithLabelValues(labels...),
			noMatch:    m.Events.WithLabelValues(cfg.Destination, "", "skipped", "no_match"),
			tombstones: m.Events.WithLabelValues(cfg.Destination, "", "skipped", "tombstone"),
		},
		gauges: newGauges(m, cfg.Destination, cfg.Name, strconv.Itoa(cfg.Shard)),
	}
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
	s.log = s.parts.Cluster.Open(s.cfg.Topic, s.cfg.Shard, s.pos, records.Bytes{Answer: answerBytes, Block: blockBytes})
	return nil
}

// Topic is what the stream reads.
func (s *Stream) Topic() string { return s.cfg.Topic }

// Full reports whether an event waits for the open span to get shorter.
func (s *Stream) Full() bool { return s.full.Load() }

// counts collects what run counts in a block, so that events nobody wants cost
// no atomic operation each.
type counts struct {
	read, noMatch, tombstones int

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
	defer s.log.Close()
	pauses := pause.Growing(100*time.Millisecond, 5*time.Second)
	for ctx.Err() == nil {
		block, err := s.log.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		after := s.log.Offset()
		if s.takeAll(ctx, block) {
			s.passTo(after) // over what isn't there, or isn't to be read
		}
		s.flush()
		if err == nil {
			pauses.Reset()
			continue
		}
		if errors.Is(err, kafka.OffsetOutOfRange) {
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

// passTo goes on at next: nobody waits for what lies before it, but for open
// events.
func (s *Stream) passTo(next int64) {
	s.pos = next
	s.mu.Lock()
	s.mark.advance(next)
	s.mu.Unlock()
}

// Committable is the offset up to which all is done.
func (s *Stream) Committable() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mark.commit
}

// Measure sets the gauges and returns the open span. One goroutine calls it. A gauge isn't there
// before it is known: a new owner's lag of 0 would say that all is done.
func (s *Stream) Measure() int {
	s.mu.Lock()
	commit, span := s.mark.commit, s.mark.span()
	dated, open := s.mark.oldest()
	s.mu.Unlock()
	s.gauges.span.set(float64(span))
	s.gauges.watermark.set(float64(commit))
	now := time.Now()
	oldest := 0.0
	if open {
		oldest = age(now, dated)
	}
	s.gauges.oldestOpen.set(oldest)
	if end := s.log.End(); end >= 0 {
		if lag, known := s.lagSeconds(now, oldest, open, end <= commit); known {
			s.gauges.lagSeconds.set(lag)
		}
		s.gauges.lag.set(float64(max(0, end-commit)))
	}
	return span
}

// lagSeconds is the age of the oldest record that isn't committed. Where none
// is open, it isn't taken in yet: it is no older than what was taken in
// lately, and came after the stream was last seen to have caught up.
func (s *Stream) lagSeconds(now time.Time, oldest float64, open, done bool) (lag float64, known bool) {
	switch reached := s.reached.Load(); {
	case done:
		s.caughtUp = now
		return 0, true
	case open:
		return oldest, true
	case reached == 0:
		return 0, false
	default:
		return age(now, max(reached, s.caughtUp.UnixMilli())), true
	}
}

// age is how old a record is by its timestamp in Unix ms, in seconds, at least 0.
func age(now time.Time, dated int64) float64 {
	return max(0, now.Sub(time.UnixMilli(dated)).Seconds())
}

// EndIsOld reports whether nobody has told the stream for so long where its log
// ends: while it waits for room it doesn't fetch, and hears of nothing.
func (s *Stream) EndIsOld(after time.Duration) bool { return time.Since(s.log.Seen()) > after }

// EndsAt tells the stream where its log ends, as Cluster.Ends says.
func (s *Stream) EndsAt(end int64) { s.log.EndsAt(end) }

// Forget takes the stream's gauges away: a former owner must not show them. The
// goroutine that measures calls it.
func (s *Stream) Forget() {
	for _, g := range []*gauge{&s.gauges.lag, &s.gauges.lagSeconds, &s.gauges.oldestOpen, &s.gauges.span, &s.gauges.watermark} {
		g.forget()
	}
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
	s.log.SeekTo(first)
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
