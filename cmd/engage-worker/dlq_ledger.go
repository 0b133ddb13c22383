package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/partition"
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
	next, end, err := d.cluster.Bounds(ctx, topic, p)
	if err != nil || next >= end {
		return err
	}
	conn, err := d.cluster.Dial(ctx, topic, p)
	if err != nil {
		return err
	}
	defer conn.Close()
	const fetch = 2 << 20
	const patience = 30 * time.Second
	for moved := time.Now(); next < end; {
		to, _, err := partition.Fetch(ctx, conn, next, partition.FetchConfig{MaxBytes: fetch, MaxWait: time.Second}, func(m *kafka.Message) bool {
			if m.Offset >= end {
				return false
			}
			// What can't be read is a newer version's, or no entry: it
			// tells of nothing sent, and the worker asks the ledger again.
			e, err := ledger.ParseEntry(m.Value)
			if err != nil || e.State != ledger.Sent {
				return true
			}
			if action, key, ok := bytes.Cut(m.Key, []byte{0}); ok {
				each(string(action), string(key))
			}
			return true
		})
		if err != nil {
			return fmt.Errorf("read the ledger %s/%d: %w", topic, p, err)
		}
		if to > next {
			next, moved = to, time.Now()
		} else if time.Since(moved) > patience {
			return errors.New("read the ledger " + topic + ": nothing comes though its end isn't reached")
		}
	}
	return nil
}
