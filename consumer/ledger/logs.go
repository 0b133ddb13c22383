package ledger

import (
	"context"

	"engage-worker/internal/kafka/records"
)

// ClusterLogs are Logs in a cluster. They are safe for concurrent use.
type ClusterLogs struct{ *records.Cluster }

// Read is of Logs.
func (c ClusterLogs) Read(ctx context.Context, topic string, partition int, from, end int64, each func(Record)) error {
	return Partition{Cluster: c.Cluster, Topic: topic, ID: partition}.Read(ctx, from, end, each)
}
