package deadletter

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"engage-worker/internal/kafka/records"
)

// Reader reads a dead-letter topic as it was when the reading began. It is
// safe for concurrent use.
type Reader struct {
	Cluster *records.Cluster
	Topic   string
}

const (
	// fetchBytes is about what one answer of a broker's has.
	fetchBytes = 2 << 20

	// readers is how many partitions are read at a time. With an answer and a
	// block of records for each it bounds the memory, whatever the topic holds.
	readers = 4
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
	all, err := r.Cluster.Spans(ctx, r.Topic, since)
	if err == nil && len(all) == 0 {
		err = kafka.UnknownTopicOrPartition
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.Topic, err)
	}
	spans := make([]Span, len(all))
	for p, s := range all {
		spans[p] = Span{p, s.From, s.End}
	}
	return spans, nil
}

// Progress counts offsets as they are read. It is safe for concurrent use.
type Progress struct{ done, total, gone atomic.Int64 }

// Done and Total are how many offsets were passed, and how many there are.
func (p *Progress) Done() int64  { return p.done.Load() }
func (p *Progress) Total() int64 { return p.total.Load() }

// Far is Done and Total.
func (p *Progress) Far() (done, total int64) { return p.Done(), p.Total() }

// Gone is how many of them retention deleted before they were read.
func (p *Progress) Gone() int64 { return p.gone.Load() }

// Read calls each for every record of the spans, one call at a time, in order
// within a partition. fault is Decode's error, with which the record is as
// complete as could be. The record, its key, value and headers are each's
// until it returns; its texts stay. An error of each ends the reading and is
// returned.
//
// A nil error means that each has seen every record of the spans except
// those that retention deleted meanwhile. progress may be nil.
func (r *Reader) Read(ctx context.Context, spans []Span, progress *Progress, each func(rec *Record, fault error) error) error {
	if progress == nil {
		progress = new(Progress)
	}
	for _, s := range spans {
		progress.total.Add(max(0, s.End-s.From))
	}
	turn := make(chan error, 1) // holds what each said last, nil, while nobody calls it
	turn <- nil
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, s := range spans {
		g.Go(func() error {
			d := decoder{topic: r.Topic, partition: s.Partition, names: map[string]string{}}
			var letters []Record
			var faults []error
			return r.scan(ctx, s, progress, func(block []records.Record) error {
				for len(letters) < len(block) {
					letters, faults = append(letters, Record{}), append(faults, nil)
				}
				for i := range block {
					faults[i] = d.decode(&block[i], &letters[i])
				}
				err := <-turn
				for i := 0; i < len(block) && err == nil; i++ {
					err = each(&letters[i], faults[i])
				}
				turn <- err
				return err
			})
		})
	}
	return g.Wait()
}

func (r *Reader) scan(ctx context.Context, s Span, progress *Progress, each func([]records.Record) error) error {
	scanner := records.Scanner{
		Cluster: r.Cluster, MaxBytes: fetchBytes,
		Passed: func(n int64) { progress.done.Add(n) },
		Gone:   func(n int64) { progress.gone.Add(n) },
	}
	return scanner.Scan(ctx, records.Span{Topic: r.Topic, Partition: s.Partition, From: s.From, End: s.End}, each)
}
