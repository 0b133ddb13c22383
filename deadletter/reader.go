package deadletter

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"engage-worker/internal/partition"
)

// Reader reads a dead-letter topic as it was when the reading began. It is
// safe for concurrent use.
type Reader struct {
	Cluster partition.Cluster
	Topic   string
}

const (
	// fetchBytes bounds one answer; a larger record still comes whole.
	fetchBytes = 2 << 20

	// batchRecords and fetchBytes bound what goes to the caller at a time:
	// compression can put a hundred times fetchBytes into one answer.
	batchRecords = 500

	// readers is how many partitions are read at a time. With fetchBytes it
	// bounds the memory, whatever the topic holds.
	readers = 4

	// patience is how long a partition may give nothing, though its end
	// isn't reached, before that is an error.
	patience = 30 * time.Second

	// attempts bounds how often reading goes on after a lost connection or a
	// moved leader without a record in between.
	attempts = 5
)

// Span is the part of a partition that a reading covers: [From, End).
type Span struct {
	Partition int
	From, End int64
}

// Spans are the topic's partitions with all that they hold now, or, with a
// since, from the first record on that was written at that time or later. As
// a record is written after its delivery failed, none that failed since then
// is left out.
func (r *Reader) Spans(ctx context.Context, since time.Time) ([]Span, error) {
	counts, err := r.Cluster.Count(ctx, r.Topic)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.Topic, err)
	}
	n, ok := counts[r.Topic]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", r.Topic, kafka.UnknownTopicOrPartition)
	}
	spans := make([]Span, n)
	for p := range spans {
		first, end, err := r.Cluster.Bounds(ctx, r.Topic, p)
		if err != nil {
			return nil, err
		}
		spans[p] = Span{p, first, end}
	}
	if since.IsZero() {
		return spans, nil
	}
	return spans, r.startAt(ctx, spans, since)
}

// startAt moves the spans' beginnings to a time.
func (r *Reader) startAt(ctx context.Context, spans []Span, since time.Time) error {
	asked := make([]kafka.OffsetRequest, len(spans))
	for i, s := range spans {
		asked[i] = kafka.TimeOffsetOf(s.Partition, since)
	}
	res, err := r.Cluster.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{r.Topic: asked}})
	if err != nil {
		return fmt.Errorf("find the offsets of %s in %s: %w", since.Format(time.RFC3339), r.Topic, err)
	}
	found := 0
	for _, p := range res.Topics[r.Topic] {
		if p.Error != nil {
			return fmt.Errorf("find the offsets of %s in %s/%d: %w", since.Format(time.RFC3339), r.Topic, p.Partition, p.Error)
		}
		for i := range spans {
			if spans[i].Partition != p.Partition {
				continue
			}
			found++
			from := spans[i].End // nothing is that young
			for offset := range p.Offsets {
				if offset >= 0 {
					from = min(offset, spans[i].End)
				}
			}
			spans[i].From = max(from, spans[i].From)
		}
	}
	if found != len(spans) {
		return fmt.Errorf("find the offsets of %s in %s: answers for %d of %d partitions", since.Format(time.RFC3339), r.Topic, found, len(spans))
	}
	return nil
}

// Progress counts offsets as they are read. It is safe for concurrent use.
type Progress struct{ done, total atomic.Int64 }

// Done and Total are how many offsets were passed, and how many there are.
func (p *Progress) Done() int64  { return p.done.Load() }
func (p *Progress) Total() int64 { return p.total.Load() }

// Read calls each for every record of the spans, one call at a time, in order
// within a partition. fault is Decode's error, with which the record is as
// complete as could be. An error of each ends the reading and is returned.
//
// A nil error means that each has seen every record of the spans but for
// those that retention deleted meanwhile. progress may be nil.
func (r *Reader) Read(ctx context.Context, spans []Span, progress *Progress, each func(rec *Record, fault error) error) error {
	if progress == nil {
		progress = new(Progress)
	}
	for _, s := range spans {
		progress.total.Add(max(0, s.End-s.From))
	}
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan []decoded)
	g.Go(func() error {
		defer close(batches)
		return r.readAll(ctx, spans, progress, batches)
	})
	g.Go(func() error {
		for batch := range batches {
			for _, d := range batch {
				if err := each(d.record, d.fault); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return g.Wait()
}

type decoded struct {
	record *Record
	fault  error
}

// readAll reads the spans, a few at a time, into batches.
func (r *Reader) readAll(ctx context.Context, spans []Span, progress *Progress, batches chan<- []decoded) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, s := range spans {
		if s.From >= s.End {
			continue
		}
		g.Go(func() error {
			d := decoder{names: map[string]string{}}
			var batch []decoded
			bytes := 0
			flush := func() error {
				if len(batch) == 0 {
					return nil
				}
				select {
				case batches <- batch:
					batch, bytes = make([]decoded, 0, len(batch)), 0
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return scan(ctx, r.Cluster, r.Topic, s, progress, func(m kafka.Message) error {
				rec, err := d.decode(m)
				batch = append(batch, decoded{rec, err})
				bytes += len(m.Key) + len(m.Value)
				if len(batch) < batchRecords && bytes < fetchBytes {
					return nil
				}
				return flush()
			}, flush)
		})
	}
	return g.Wait()
}

// scan calls each for all records of the span, and fetched after each fetch;
// an error of theirs ends it. Lost connections and moved leaders are got over a few
// times.
func scan(ctx context.Context, cluster partition.Cluster, topic string, s Span, progress *Progress, each func(kafka.Message) error, fetched func() error) error {
	next, failures := s.From, 0
	for next < s.End {
		from := next
		err := scanFrom(ctx, cluster, topic, s.Partition, &next, s.End, progress, each, fetched)
		var stop *stopError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &stop):
			return stop.err
		case errors.Is(err, kafka.OffsetOutOfRange):
			// Retention deleted what was to come next.
			first, _, berr := cluster.Bounds(ctx, topic, s.Partition)
			if berr != nil {
				return berr
			}
			if first > next {
				progress.done.Add(min(first, s.End) - next)
				next = first
			}
		case !passing(err):
			return fmt.Errorf("read %s/%d at offset %d: %w", topic, s.Partition, next, err)
		}
		if next > from {
			failures = 0
		}
		if failures++; failures >= attempts {
			return fmt.Errorf("read %s/%d at offset %d: %w", topic, s.Partition, next, err)
		}
		if err := pause(ctx, time.Duration(failures)*200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// stopError carries an error of the one who is called back through scan.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

// scanFrom reads over one connection, moving next along.
func scanFrom(ctx context.Context, cluster partition.Cluster, topic string, p int, next *int64, end int64, progress *Progress, each func(kafka.Message) error, fetched func() error) error {
	conn, err := cluster.Dial(ctx, topic, p)
	if err != nil {
		return err
	}
	defer conn.Close()
	for moved := time.Now(); *next < end; {
		var stopped error
		to, _, err := partition.Fetch(ctx, conn, *next, partition.FetchConfig{MaxBytes: fetchBytes, MaxWait: time.Second}, func(m *kafka.Message) bool {
			if m.Offset >= end {
				return false
			}
			if !partition.IsMarker(m) {
				stopped = each(*m)
			}
			return stopped == nil
		})
		// What came before an error came whole.
		to = min(to, end)
		if stopped == nil {
			stopped = fetched()
		}
		if stopped != nil {
			return &stopError{stopped}
		}
		if to > *next {
			progress.done.Add(to - *next)
			*next, moved = to, time.Now()
		}
		if err != nil {
			return err
		}
		if time.Since(moved) > patience {
			return fmt.Errorf("nothing came for %s though the log goes on to offset %d", patience, end)
		}
	}
	return nil
}

// passing reports whether reading may go on after a new connection.
func passing(err error) bool {
	var broker kafka.Error
	if errors.As(err, &broker) {
		return broker.Temporary()
	}
	return true // a connection's
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nothing is for a scan that has nothing to do after a fetch.
func nothing() error { return nil }
