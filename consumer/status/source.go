package status

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/records"
)

// Source is the source topic, out of which events are read back. It is safe
// for concurrent use.
type Source struct {
	Cluster *records.Cluster
	Topic   string
}

// eventBytes is how much is fetched and decompressed for one event: a batch
// that is larger comes whole.
const eventBytes = 64 << 10

// Event is the event at a place; nil without an error where it isn't any more,
// or where the topic isn't the one in which it was. That the topic isn't there is an
// error: a broker that has just started may not know it yet.
func (s Source) Event(ctx context.Context, at Position) (*kafka.Message, error) {
	first, end, err := s.Cluster.Bounds(ctx, s.Topic, at.Partition)
	if err != nil {
		return nil, err
	}
	if at.Offset < first || at.Offset >= end {
		return nil, nil
	}
	log := s.Cluster.Open(s.Topic, at.Partition, at.Offset, records.Bytes{Answer: eventBytes, Block: eventBytes})
	defer log.Close()
	for log.Offset() <= at.Offset {
		block, err := log.Next(ctx)
		for i := range block {
			if block[i].Offset == at.Offset {
				m := block[i].Message(s.Topic, at.Partition)
				return &m, nil
			}
		}
		if errors.Is(err, kafka.OffsetOutOfRange) {
			return nil, nil // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil // compacted away
}
