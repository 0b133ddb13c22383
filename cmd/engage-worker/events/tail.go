package events

import (
	"context"

	"github.com/segmentio/kafka-go"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/kafka/tail"
)

// topicTail is the end of a topic, with a connection of its own.
type topicTail struct {
	cluster *records.Cluster
	end     *tail.Tail
}

// openTail looks where the topic ends. Close it in the end.
func openTail(ctx context.Context, cluster config.Kafka, topic string) (*topicTail, error) {
	client, err := connect.Client(cluster)
	if err != nil {
		return nil, cli.BadInput(err)
	}
	t := &topicTail{cluster: records.NewCluster(client, records.Options{})}
	if t.end, err = tail.New(ctx, t.cluster, topic); err != nil {
		t.Close()
		return nil, cli.Explained(err)
	}
	return t, nil
}

// Close gives up the connections.
func (t *topicTail) Close() {
	t.cluster.Close()
	connect.CloseClient(t.cluster.Client)
}

// last is the tail's, with Kafka's errors in words.
func (t *topicTail) last(ctx context.Context, n int, want func(*kafka.Message) bool) ([]kafka.Message, error) {
	messages, err := t.end.Last(ctx, n, want)
	return messages, cli.Explained(err)
}
