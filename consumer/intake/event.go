package intake

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/internal/kafka/partition"
)

// Event is a record that some action wants, or that is malformed, from when
// it is taken in until it is settled. One goroutine at a time has it.
type Event struct {
	Message   kafka.Message
	Origin    Origin
	Actions   uint64 // bit i: the destination's action i
	Malformed error  // why Message's value is no event, or nil

	stream *Stream
	mark   *watermark // guarded by stream.mu
	ticket ticket
	cost   int64             // of the budget
	exact  bool              // Message tells null from empty
	traced trace.SpanContext // of its process span
}

// Settled marks the event as done: its offset may be committed.
func (ev *Event) Settled() { ev.stream.done(ev) }

// Release gives back the room that the event took. It is called once, whether
// the event was settled or stays open.
func (ev *Event) Release() { ev.stream.parts.Budget.Release(ev.cost) }

// Exact reads the event again if its key or a header looks empty, which may
// have been null or empty, so that what is written elsewhere is the same byte
// for byte. What the topic no longer holds is taken as it looks.
func (ev *Event) Exact(ctx context.Context) error {
	doubtful := len(ev.Message.Key) == 0
	for _, h := range ev.Message.Headers {
		doubtful = doubtful || len(h.Value) == 0
	}
	if !doubtful || ev.exact {
		return nil
	}
	s := ev.stream
	m, err := s.parts.Cluster.Record(ctx, s.cfg.Topic, s.cfg.Shard, ev.Message.Offset)
	switch {
	case err == nil:
		ev.Message.Key, ev.Message.Headers = m.Key, m.Headers
	case !errors.Is(err, partition.ErrGone):
		return err
	}
	ev.exact = true
	return nil
}

// size is what the event's record takes in memory.
func (ev *Event) size() int {
	n := len(ev.Message.Key) + len(ev.Message.Value)
	for _, h := range ev.Message.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
