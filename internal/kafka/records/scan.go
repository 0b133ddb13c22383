package records

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/pause"
)

const (
	// patience is how long a partition may give nothing, though its end
	// isn't reached, before that is an error.
	patience = 30 * time.Second

	// attempts bounds how often reading goes on after a lost connection or a
	// moved leader without a record in between.
	attempts = 5

	// scanBlock is what a block of a scan has, about.
	scanBlock = 1 << 20
)

// Span is a part of a partition: [From, End).
type Span struct {
	Topic     string
	Partition int
	From, End int64
}

// Scanner reads spans.
type Scanner struct {
	Cluster  *Cluster
	MaxBytes int // of one answer, about

	// Passed is told how many offsets were done with, and Gone how many of
	// them retention deleted before they were read. Both may be nil.
	Passed, Gone func(offsets int64)
}

// Scan calls each for the blocks of a span's records, in their order; their
// memory is its until it returns. An error of each's ends the scan and is
// returned. Lost connections and moved leaders are got over a few times.
//
// A nil error means that each has seen every record of the span but for those
// of aborted transactions and those that retention deleted meanwhile. An open
// transaction is waited for.
func (s *Scanner) Scan(ctx context.Context, span Span, each func([]Record) error) error {
	log := s.Cluster.Open(span.Topic, span.Partition, span.From, Bytes{Answer: s.MaxBytes, Block: scanBlock})
	defer log.Close()
	log.until = span.End // what lies behind it in its batch isn't unpacked
	failed := func(err error) error {
		return fmt.Errorf("read %s/%d at offset %d: %w", span.Topic, span.Partition, log.Offset(), err)
	}
	failures := 0
	for from := span.From; from < span.End; from = log.Offset() {
		block, err := next(ctx, log)
		for len(block) > 0 && block[len(block)-1].Offset >= span.End {
			block = block[:len(block)-1]
		}
		if len(block) > 0 {
			if err := each(block); err != nil {
				return err
			}
		}
		if errors.Is(err, kafka.OffsetOutOfRange) {
			err = s.skip(ctx, span, log)
		}
		if to := min(log.Offset(), span.End); to > from {
			call(s.Passed, to-from)
			failures = 0
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			continue
		case errors.Is(err, errNothing):
			return failed(fmt.Errorf("nothing came for %s though the log goes on to offset %d; is a transaction open?", patience, span.End))
		case !passing(err):
			return failed(err)
		}
		if failures++; failures == attempts {
			return failed(err)
		}
		if !pause.For(ctx, time.Duration(failures)*200*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

var errNothing = errors.New("nothing came")

// next is the log's Next within patience.
func next(ctx context.Context, log *Log) ([]Record, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errNothing)
	defer cancel()
	block, err := log.Next(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errNothing) {
		err = errNothing
	}
	return block, err
}

// skip steps over what retention has deleted.
func (s *Scanner) skip(ctx context.Context, span Span, log *Log) error {
	first, _, err := s.Cluster.Bounds(ctx, span.Topic, span.Partition)
	if err != nil {
		return err
	}
	if first <= log.Offset() { // it isn't that
		return kafka.OffsetOutOfRange
	}
	call(s.Gone, min(first, span.End)-log.Offset())
	log.SeekTo(first)
	return nil
}

func call(f func(int64), n int64) {
	if f != nil {
		f(n)
	}
}

// passing reports whether reading may go on after a new connection.
func passing(err error) bool {
	var broker kafka.Error
	switch {
	case errors.Is(err, errBatch), errors.Is(err, errFormat), errors.Is(err, errAnswer), errors.Is(err, errClosed):
		return false
	case errors.As(err, &broker):
		return broker.Temporary() || broker == kafka.OffsetOutOfRange
	}
	return true // a connection's
}
