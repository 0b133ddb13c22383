package ledger

import (
	"context"

	"engage-worker/internal/kafka/records"
)

// Partition is a partition of a ledger topic in Kafka. It is safe for
// concurrent use.
type Partition struct {
	Cluster *records.Cluster
	Topic   string
	ID      int
}

// restoreFetch is how many bytes a fetch brings while the log is read; of a few
// records, not more than spanFetch or what so many of leastFetch may take.
const (
	restoreFetch = 2 << 20
	spanFetch    = 64 << 10
	leastFetch   = 2 << 10
)

// Bounds are the first offset and the one after the last.
func (p Partition) Bounds(ctx context.Context) (first, end int64, err error) {
	return p.Cluster.Bounds(ctx, p.Topic, p.ID)
}

// Read calls each for the records of [from, end), except markers and what a
// transaction aborted. The record's memory is each's until it returns.
func (p Partition) Read(ctx context.Context, from, end int64, each func(r Record)) error {
	scanner := records.Scanner{Cluster: p.Cluster, MaxBytes: int(min(restoreFetch, max(spanFetch, (end-from)*leastFetch)))}
	return scanner.Scan(ctx, records.Span{Topic: p.Topic, Partition: p.ID, From: from, End: end}, func(block []records.Record) error {
		for _, r := range block {
			each(Record{Offset: r.Offset, Key: r.Key, Value: r.Value})
		}
		return nil
	})
}

// Append writes the records, one attempt, and returns the first one's offset
// once all in-sync replicas have them. What is appended to several partitions at
// the same time goes out together; see acked.Appender.
func (p Partition) Append(ctx context.Context, entries []Record) (base int64, err error) {
	return p.Cluster.Append(ctx, p.Topic, p.ID, entries)
}
