package intake

import (
	"context"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// headers lets the W3C propagator read a record's headers.
type headers []kafka.Header

func (h headers) Get(key string) string {
	for i := range h {
		if strings.EqualFold(h[i].Key, key) {
			return string(h[i].Value)
		}
	}
	return ""
}

func (h headers) Set(string, string) {}

func (h headers) Keys() []string {
	keys := make([]string, len(h))
	for i := range h {
		keys[i] = h[i].Key
	}
	return keys
}

// Trace continues the producer's trace with a span for the event, from when
// it was read to its settlement. Without a tracer it costs nothing.
func (ev *Event) Trace() (ctx context.Context, end func()) {
	s := ev.stream
	if s.parts.Tracer == nil {
		return context.Background(), func() {}
	}
	ctx = propagation.TraceContext{}.Extract(context.Background(), headers(ev.Message.Headers))
	ctx, span := s.parts.Tracer.Start(ctx, "process "+s.cfg.Topic, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.destination.name", s.cfg.Topic),
		attribute.Int("messaging.destination.partition.id", s.cfg.Shard),
		attribute.Int64("messaging.kafka.offset", ev.Message.Offset),
		attribute.String("messaging.consumer.group.name", s.cfg.Group),
	))
	traced := span.SpanContext()
	ev.traced = &traced
	return ctx, func() { span.End() }
}

// awaited is a traced event that is settled and not committed.
type awaited struct {
	offset int64
	since  time.Time
	parent trace.SpanContext
}

// await remembers a settled event until its commit, if that doesn't fail for
// too long. The caller holds s.mu.
func (s *Stream) await(ev *Event) {
	if ev.traced != nil && ev.traced.IsSampled() && len(s.awaited) < s.cfg.MaxUncommitted {
		s.awaited = append(s.awaited, awaited{offset: ev.Message.Offset, since: time.Now(), parent: *ev.traced})
	}
}

// Committed ends the traces of what a commit up to offset covers.
func (s *Stream) Committed(offset int64) {
	if s.parts.Tracer == nil {
		return
	}
	s.mu.Lock()
	var covered []awaited
	open := s.awaited[:0]
	for _, a := range s.awaited {
		if a.offset < offset {
			covered = append(covered, a)
		} else {
			open = append(open, a)
		}
	}
	clear(s.awaited[len(open):])
	s.awaited = open
	s.mu.Unlock()
	for _, a := range covered {
		ctx := trace.ContextWithSpanContext(context.Background(), a.parent)
		_, span := s.parts.Tracer.Start(ctx, "commit", trace.WithTimestamp(a.since), trace.WithAttributes(attribute.Int64("messaging.kafka.offset", a.offset)))
		span.End()
	}
}
