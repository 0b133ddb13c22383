package deadletter

import (
	"context"
	"fmt"
	"net"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/acked"
)

// Publisher writes dead letters. It is safe for concurrent use; concurrent
// calls share requests.
type Publisher struct{ w *acked.Writer }

// NewPublisher returns a Publisher for a dead-letter topic. It connects on
// the first Publish, through transport (nil: without TLS or SASL), whose idle
// connections are its owner's to close.
func NewPublisher(addr net.Addr, transport kafka.RoundTripper, topic string) *Publisher {
	return &Publisher{acked.NewWriter(addr, transport, topic)}
}

// Publish returns nil once all in-sync replicas have r, in the partition that
// the event came from, or in another if the dead-letter topic has no such
// partition. It makes one attempt.
//
// The error wraps a *acked.WriteError, which says whether another attempt may
// help. After an error, a cancelled ctx included, the record may still be
// written: publish it again, readers fold by ID. r must not change until the
// Publisher is closed, unless Publish returned nil.
func (p *Publisher) Publish(ctx context.Context, r *Record) error {
	if err := p.w.Write(ctx, Encode(r), r.Partition); err != nil {
		return fmt.Errorf("publish dead letter: %w", err)
	}
	return nil
}

// Close waits for what is under way, about 10 s at most. Publish fails from
// then on.
func (p *Publisher) Close() error { return p.w.Close() }
