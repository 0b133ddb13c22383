// Package tail reads the end of a topic, in no group: it commits nothing and takes
// nothing from anybody.
package tail

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/records"
)

// Tail is a topic from where it ended.
type Tail struct {
	Topic   string
	Cluster *records.Cluster
	Spans   []records.Span // what it held
}

// New looks where the topic ends. A topic that isn't there, or may not be seen, is
// kafka.UnknownTopicOrPartition.
func New(ctx context.Context, cluster *records.Cluster, topic string) (*Tail, error) {
	spans, err := cluster.Spans(ctx, topic, time.Time{})
	if err != nil {
		return nil, err
	}
	if len(spans) == 0 {
		return nil, kafka.UnknownTopicOrPartition
	}
	return &Tail{topic, cluster, spans}, nil
}

// room is how much of a partition is in memory at a time.
var room = records.Bytes{Answer: 1 << 20, Block: 256 << 10}

// Last are the last n records that want likes, of those that are there now,
// the oldest first. Each partition is looked through from its end, in steps
// that grow, until it has n or is at its beginning.
func (t *Tail) Last(ctx context.Context, n int, want func(*kafka.Message) bool) ([]kafka.Message, error) {
	var all []kafka.Message
	for _, span := range t.Spans {
		some, err := t.lastOf(ctx, span, n, want)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b kafka.Message) int { return a.Time.Compare(b.Time) })
	return all[max(0, len(all)-n):], nil
}

func (t *Tail) lastOf(ctx context.Context, span records.Span, n int, want func(*kafka.Message) bool) (found []kafka.Message, err error) {
	end := span.End
	for step := int64(n); end > span.From && len(found) < n; step *= 4 {
		from := max(span.From, end-step)
		some, err := t.between(ctx, span.Partition, from, end, want)
		if err != nil {
			return nil, err
		}
		found, end = append(some, found...), from
	}
	return found[max(0, len(found)-n):], nil
}

// At is the record at an offset of a partition; ok is false where there is none.
func (t *Tail) At(ctx context.Context, partition int, offset int64) (m kafka.Message, ok bool, err error) {
	i := slices.IndexFunc(t.Spans, func(s records.Span) bool { return s.Partition == partition && s.From <= offset && offset < s.End })
	if i < 0 {
		return kafka.Message{}, false, nil
	}
	found, err := t.between(ctx, partition, offset, offset+1, func(m *kafka.Message) bool { return m.Offset == offset })
	if err != nil || len(found) == 0 {
		return kafka.Message{}, false, err
	}
	return found[0], true, nil
}

// between are the records of a partition that want likes, from an offset up
// to another.
func (t *Tail) between(ctx context.Context, partition int, from, end int64, want func(*kafka.Message) bool) (found []kafka.Message, err error) {
	scanner := records.Scanner{Cluster: t.Cluster, MaxBytes: room.Answer}
	err = scanner.Scan(ctx, records.Span{Topic: t.Topic, Partition: partition, From: from, End: end}, func(block []records.Record) error {
		for i := range block {
			if m := block[i].Message(t.Topic, partition); want(&m) {
				found = append(found, m)
			}
		}
		return nil
	})
	return found, err
}

// Follow calls each for what comes from now on, until ctx ends.
func (t *Tail) Follow(ctx context.Context, each func(kafka.Message) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	came := make(chan kafka.Message)
	ended := make(chan struct{}, len(t.Spans)) // of their number: a reader that ends waits for nobody
	for _, span := range t.Spans {
		go func() {
			defer func() { ended <- struct{}{} }()
			if err := t.stream(ctx, span, came); err != nil {
				cancel(err)
			}
		}()
	}
	defer func() {
		cancel(nil)
		for range t.Spans {
			<-ended
		}
	}()
	for {
		select {
		case m := <-came:
			if err := each(m); err != nil {
				return err
			}
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		}
	}
}

// stream sends what comes to a partition behind its end.
func (t *Tail) stream(ctx context.Context, span records.Span, came chan<- kafka.Message) error {
	log := t.Cluster.Open(t.Topic, span.Partition, span.End, room)
	defer log.Close()
	for {
		block, err := log.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for i := range block {
			select {
			case came <- block[i].Message(t.Topic, span.Partition):
			case <-ctx.Done():
				return nil
			}
		}
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
	}
}
