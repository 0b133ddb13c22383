package consumer

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

// trace continues the producer's trace with a span for the event, from when
// it was read to its settlement. Without a tracer it costs nothing.
func (s *shard) trace(ev *event) (ctx context.Context, end func()) {
	if s.tracer == nil {
		return context.Background(), func() {}
	}
	ctx = propagation.TraceContext{}.Extract(context.Background(), headers(ev.msg.Headers))
	ctx, span := s.tracer.Start(ctx, "process "+ev.stream.topic, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.destination.name", ev.stream.topic),
		attribute.Int("messaging.destination.partition.id", s.id),
		attribute.Int64("messaging.kafka.offset", ev.msg.Offset),
		attribute.String("messaging.consumer.group.name", s.GroupID),
	))
	return ctx, func() { span.End() }
}

// span records a part of the delivery's way that began at start.
func (d *delivery) span(name string, start time.Time, attributes ...attribute.KeyValue) {
	if d.tracer == nil {
		return
	}
	_, span := d.tracer.Start(d.ctx, name, trace.WithTimestamp(start), trace.WithAttributes(attributes...))
	span.End()
}
