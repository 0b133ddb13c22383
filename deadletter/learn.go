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
// since it did that. A topic that
// isn't there says nothing: the worker sends nothing without a ledger, and who
// never replayed has no record of it. progress may be nil.
func (s *States) Learn(ctx context.Context, from Sources, progress *Progress) error {
	if progress == nil {
		progress = new(Progress)
	}
	if err := s.learnReplays(ctx, from); err != nil {
		return err
	}
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
				end, err := scanFrom(ctx, from.Cluster, place, next, progress, func(block []records.Record) {
					mu.Lock()
					defer mu.Unlock()
					for _, r := range block {
						if r.Value != nil {
							topic.take(at.destination, r.Key, r.Value)
						}
					}
				})
				if err != nil {
					return fmt.Errorf("learn what became of dead letters: %w", err)
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
// now, and returns where it ends; one that isn't there is empty.
func scanFrom(ctx context.Context, cluster *records.Cluster, at topicPart, next int64, progress *Progress, each func([]records.Record)) (end int64, err error) {
	counts, err := cluster.Count(ctx, at.topic)
	if err != nil || at.partition >= counts[at.topic] || at.partition < 0 {
		return next, err
	}
	first, end, err := cluster.Bounds(ctx, at.topic, at.partition)
	if err != nil {
		return next, err
	}
	from := max(first, next)
	progress.total.Add(max(0, end-from))
	scanner := records.Scanner{Cluster: cluster, MaxBytes: fetchBytes, Passed: func(n int64) { progress.done.Add(n) }}
	return end, scanner.Scan(ctx, records.Span{Topic: at.topic, Partition: at.partition, From: from, End: end}, func(block []records.Record) error {
		each(block)
		return nil
	})
}
