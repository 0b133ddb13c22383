package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/records"
)

// topicTail reads the end of a topic, in no group: it commits nothing and
// takes nothing from anybody.
type topicTail struct {
	cluster *records.Cluster
	topic   string
	spans   []records.Span
}

// openTail looks where the topic ends. Close it in the end.
func openTail(ctx context.Context, cluster config.Kafka, topic string) (*topicTail, error) {
	client, err := connect.Client(cluster)
	if err != nil {
		return nil, badInput(err)
	}
	t := &topicTail{cluster: records.NewCluster(client, records.Options{}), topic: topic}
	count, err := t.cluster.Count(ctx, topic)
	if err == nil && count[topic] == 0 {
		err = kafka.UnknownTopicOrPartition
	}
	if err == nil {
		partitions := make([]int, count[topic])
		for i := range partitions {
			partitions[i] = i
		}
		t.spans, err = t.cluster.AllBounds(ctx, topic, partitions)
	}
	if err != nil {
		t.Close()
		return nil, explained(err)
	}
	return t, nil
}

// Close gives up the connections.
func (t *topicTail) Close() {
	t.cluster.Close()
	connect.CloseClient(t.cluster.Client)
}

// tailBytes is how much of a partition is in memory at a time.
var tailBytes = records.Bytes{Answer: 1 << 20, Block: 256 << 10}

// last are the last n records that want likes, of those that are there now,
// the oldest first. Each partition is looked through from its end, in steps
// that grow, until it has n or is at its beginning.
func (t *topicTail) last(ctx context.Context, n int, want func(*kafka.Message) bool) ([]kafka.Message, error) {
	var all []kafka.Message
	for _, span := range t.spans {
		some, err := t.lastOf(ctx, span, n, want)
		if err != nil {
			return nil, explained(err)
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b kafka.Message) int { return a.Time.Compare(b.Time) })
	return all[max(0, len(all)-n):], nil
}

func (t *topicTail) lastOf(ctx context.Context, span records.Span, n int, want func(*kafka.Message) bool) (found []kafka.Message, err error) {
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

// between are the records of a partition that want likes, from an offset up
// to another.
func (t *topicTail) between(ctx context.Context, partition int, from, end int64, want func(*kafka.Message) bool) (found []kafka.Message, err error) {
	scanner := records.Scanner{Cluster: t.cluster, MaxBytes: tailBytes.Answer}
	err = scanner.Scan(ctx, records.Span{Topic: t.topic, Partition: partition, From: from, End: end}, func(block []records.Record) error {
		for i := range block {
			if m := block[i].Message(t.topic, partition); want(&m) {
				found = append(found, m)
			}
		}
		return nil
	})
	return found, err
}

// follow calls each for what comes from now on, until ctx ends.
func (t *topicTail) follow(ctx context.Context, each func(kafka.Message) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	came := make(chan kafka.Message)
	ended := make(chan struct{}, len(t.spans)) // of their number: a reader that ends waits for nobody
	for _, span := range t.spans {
		go func() {
			defer func() { ended <- struct{}{} }()
			if err := t.stream(ctx, span, came); err != nil {
				cancel(err)
			}
		}()
	}
	defer func() {
		cancel(nil)
		for range t.spans {
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
				return explained(err)
			}
			return nil
		}
	}
}

// stream sends what comes to a partition behind its end.
func (t *topicTail) stream(ctx context.Context, span records.Span, came chan<- kafka.Message) error {
	log := t.cluster.Open(t.topic, span.Partition, span.End, tailBytes)
	defer log.Close()
	for {
		block, err := log.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for i := range block {
			select {
			case came <- block[i].Message(t.topic, span.Partition):
			case <-ctx.Done():
				return nil
			}
		}
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
	}
}
