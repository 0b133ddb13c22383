package demo

import (
	"context"
	"fmt"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/kafka/topics"
)

// source counts what is in the source topic, whoever wrote it. One goroutine
// uses it.
type source struct {
	topic   string
	cluster *records.Cluster
}

// openSource makes every topic of the configuration, and opens the source.
func openSource(ctx context.Context, cfg *config.Config) (*source, error) {
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		return nil, err
	}
	s := &source{cfg.Kafka.Topic, records.NewCluster(client, records.Options{})}
	if _, err := topics.Ensure(ctx, client, topics.Of(cfg), topics.Sizes{Partitions: partitions, Replication: 1}); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// records is how many there are.
func (s *source) records(ctx context.Context) (n int, err error) {
	all := make([]int, partitions)
	for p := range all {
		all[p] = p
	}
	spans, err := s.cluster.AllBounds(ctx, s.topic, all)
	if err != nil {
		return 0, fmt.Errorf("count the events: %w", err)
	}
	for _, span := range spans {
		n += int(span.End)
	}
	return n, nil
}

func (s *source) close() {
	s.cluster.Close()
	connect.CloseClient(s.cluster.Client)
}

// countOthers counts the events that the demo didn't make. While it still makes
// some, these may be more by as many as are on their way to the topic.
func (s *show) countOthers(ctx context.Context) error {
	n, err := s.source.records(ctx)
	switch {
	case err == nil:
		s.others = max(s.others, n-s.tally.made())
	case ctx.Err() != nil:
		err = nil // interrupted: what was counted stays
	}
	return err
}
