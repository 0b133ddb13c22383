package intake

import (
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/actions/jsvalue"
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
	cost   int64              // of the budget
	traced *trace.SpanContext // of its process span; nil: there is none
}

// Settled marks the event as done: its offset may be committed.
func (ev *Event) Settled() { ev.stream.done(ev) }

// Release gives back the room that the event took. It is called once, whether
// the event was settled or stays open.
func (ev *Event) Release() { ev.stream.parts.Budget.Release(ev.cost) }

// size is what the event's record takes in memory, and its decoded form where
// that is more than eventOverhead has room for.
func (ev *Event) size() int {
	n := len(ev.Message.Key) + len(ev.Message.Value)
	for _, h := range ev.Message.Headers {
		n += len(h.Key) + len(h.Value)
	}
	if ev.Malformed == nil {
		n += jsvalue.FootprintBeyond(ev.Message.Value, decodedOverhead)
	}
	return n
}
