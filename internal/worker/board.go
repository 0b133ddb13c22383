package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/records"
	"engage-worker/ratelimit"
)

// board is the first partition of the rates' topic, on which the replicas of a
// fleet tell each other what they need and lend of the regions' rates. Another
// fleet's notes, of another group prefix, are passed over.
type board struct {
	cluster *records.Cluster
	topic   string
	fleet   string
	writer  *acked.Writer
	next    int64 // Follow's
}

const boardBytes = 256 << 10

func newBoard(cluster *records.Cluster, topic, fleet string, writer *acked.Writer) *board {
	return &board{cluster: cluster, topic: topic, fleet: fleet, writer: writer, next: -1}
}

// End implements what the exchange needs.
func (b *board) End(ctx context.Context) (int64, error) {
	_, end, err := b.cluster.Bounds(ctx, b.topic, 0)
	return end, err
}

// Follow implements what the exchange needs.
func (b *board) Follow(ctx context.Context, each func(ratelimit.Note), reached func(offset int64)) error {
	if b.next < 0 {
		end, err := b.End(ctx)
		if err != nil {
			return err
		}
		b.next = end
	}
	reached(b.next)
	log := b.cluster.Open(b.topic, 0, b.next, records.Bytes{Answer: boardBytes, Block: boardBytes})
	defer log.Close()
	for {
		block, err := log.Next(ctx)
		for i := range block {
			var n ratelimit.Note
			if string(block[i].Key) == b.fleet && json.Unmarshal(block[i].Value, &n) == nil {
				each(n)
			}
		}
		b.next = log.Offset()
		switch {
		case errors.Is(err, kafka.OffsetOutOfRange):
			b.next = -1 // the topic was made anew, or its retention was faster than we
			return err
		case err != nil:
			return err
		case b.next >= log.End():
			reached(b.next)
		}
	}
}

// Write implements what the exchange needs.
func (b *board) Write(ctx context.Context, notes []ratelimit.Note) error {
	messages := make([]kafka.Message, len(notes))
	for i, n := range notes {
		value, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("write a note about a rate: %w", err)
		}
		messages[i] = kafka.Message{Topic: b.topic, Key: []byte(b.fleet), Value: value}
	}
	return b.writer.WriteAll(ctx, messages, 0)
}
