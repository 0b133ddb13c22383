package deadletter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"engage-worker/internal/kafka/records"
)

// Sources are the topics that tell what became of dead letters.
type Sources struct {
	Cluster *records.Cluster
	Replays string                          // the record of replays; a Planner reads that of its own
	Ledger  func(destination string) string // a destination's topics
	Status  func(destination string) string
}

// Learn reads all that is said of the letters that were added, or what is new
// since it did that. A topic that isn't there says nothing: the worker sends
// nothing without a ledger, and who never replayed has no record of it. progress
// may be nil.
func (s *States) Learn(ctx context.Context, from Sources, progress *Progress) error {
	if progress == nil {
		progress = new(Progress)
	}
	if err := s.learnReplays(ctx, from); err != nil {
		return err
	}
	const learning = "learn what became of dead letters: %w"
	var mu sync.Mutex // guards s
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for at := range s.parts {
		for _, topic := range []struct {
			name string
			take func(destination string, key, value []byte)
		}{{from.Ledger(at.destination), s.Ledger}, {from.Status(at.destination), s.Status}} {
			place := topicPart{at, topic.name}
			mu.Lock()
			next := s.read[place]
			mu.Unlock()
			g.Go(func() error {
				counts, err := from.Cluster.Count(ctx, topic.name)
				if err != nil {
					return fmt.Errorf(learning, err)
				}
				if at.partition < 0 || at.partition >= counts[topic.name] {
					return nil
				}
				end, err := scanFrom(ctx, from.Cluster, topic.name, at.partition, next, progress, func(block []records.Record) error {
					mu.Lock()
					defer mu.Unlock()
					for _, r := range block {
						if r.Value != nil {
							topic.take(at.destination, r.Key, r.Value)
						}
					}
					return nil
				})
				if err != nil {
					return fmt.Errorf(learning, err)
				}
				mu.Lock()
				s.read[place] = end
				mu.Unlock()
				return nil
			})
		}
	}
	return g.Wait()
}

func (s *States) learnReplays(ctx context.Context, from Sources) error {
	if from.Replays == "" {
		return nil
	}
	audit, err := OpenAudit(ctx, from.Cluster, from.Replays)
	switch {
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		return nil
	case err != nil:
		return err
	}
	err = audit.Read(ctx, s.Audit)
	return errors.Join(err, audit.Close())
}

// topicPart is a partition of a destination's topic.
type topicPart struct {
	part
	topic string
}

// scanFrom calls each for the blocks of a partition from an offset on, as it is
// now, and returns where it ends. progress may be nil.
func scanFrom(ctx context.Context, cluster *records.Cluster, topic string, partition int, next int64, progress *Progress, each func([]records.Record) error) (end int64, err error) {
	if progress == nil {
		progress = new(Progress)
	}
	first, end, err := cluster.Bounds(ctx, topic, partition)
	if err != nil {
		return next, err
	}
	from := max(first, next)
	progress.total.Add(max(0, end-from))
	scanner := records.Scanner{Cluster: cluster, MaxBytes: fetchBytes, Passed: func(n int64) { progress.done.Add(n) }}
	return end, scanner.Scan(ctx, records.Span{Topic: topic, Partition: partition, From: from, End: end}, each)
}
