package main

import (
	"bytes"
	"context"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/kafka/records"
)

// sentDeliveries calls each for every delivery that a partition of a
// destination's ledger says was sent. A ledger that doesn't exist has seen no
// delivery: the worker makes none without.
func (d *dlqDesk) sentDeliveries(ctx context.Context, destination string, p int, each func(action, idempotencyKey string)) error {
	topic := d.cfg.LedgerTopic(destination)
	counts, err := d.cluster.Count(ctx, topic)
	if err != nil {
		return err
	}
	if p >= counts[topic] {
		return nil
	}
	from, end, err := d.cluster.Bounds(ctx, topic, p)
	if err != nil {
		return err
	}
	scanner := records.Scanner{Cluster: d.cluster, MaxBytes: 2 << 20}
	return scanner.Scan(ctx, records.Span{Topic: topic, Partition: p, From: from, End: end}, func(block []records.Record) error {
		for _, r := range block {
			// What can't be read is a newer version's, or no entry: it
			// tells of nothing sent, and the worker asks the ledger again.
			e, err := ledger.ParseEntry(r.Value)
			if err != nil || e.State != ledger.Sent {
				continue
			}
			if action, key, ok := bytes.Cut(r.Key, []byte{0}); ok {
				each(string(action), string(key))
			}
		}
		return nil
	})
}
