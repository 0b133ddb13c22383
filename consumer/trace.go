package consumer

import (
	"context"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// A traced event's spans, none of which holds a number, a body or a secret:
//
//	(the producer's)
//	└─ process <topic>   from when it was read to its settlement
//	   ├─ prepare        each action's: mapping, look-ups, rendering
//	   ├─ gate           each attempt's wait for the region
//	   ├─ request        each attempt's request to Twilio
//	   ├─ settle         each delivery's last part: ledger, retry or dead-letter topic
//	   └─ commit         from the event's settlement to the commit that covers it

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
	ev.traced = span.SpanContext()
	return ctx, func() { span.End() }
}

// clock is the time where spans are made, and costs nothing elsewhere.
func (g *Group) clock() time.Time {
	if g.tracer == nil {
		return time.Time{}
	}
	return time.Now()
}

// span records a part of the delivery's way that began at start.
func (d *delivery) span(name string, start time.Time, options ...trace.SpanStartOption) trace.Span {
	_, span := d.tracer.Start(d.ctx, name, append(options, trace.WithTimestamp(start))...)
	return span
}

// tracePrepare records what was decided since start.
func (d *delivery) tracePrepare(start time.Time) {
	if d.tracer == nil {
		return
	}
	span := d.span("prepare", start, trace.WithAttributes(
		attribute.String("engage.action", d.action),
		attribute.String("engage.decision", d.plan.Decision.String()),
		attribute.String("engage.reason", d.plan.Reason.String()),
	))
	if d.plan.Failure != nil {
		span.SetStatus(codes.Error, d.plan.Failure.Message)
	}
	span.End()
	d.since = time.Now()
}

// traceGate records the wait for the region since start.
func (d *delivery) traceGate(start time.Time) {
	if d.tracer == nil {
		return
	}
	d.span("gate", start, trace.WithAttributes(attribute.String("engage.region", d.plan.Region))).End()
}

// traceRequest records the request that left at start. Nothing of it is
// passed on to Twilio.
func (d *delivery) traceRequest(start time.Time, r twilio.Result) {
	if d.tracer == nil {
		return
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", "POST"),
		attribute.String("engage.region", d.plan.Region),
		attribute.String("engage.outcome", r.Kind.String()),
		attribute.Int("engage.attempt", d.attempts+1),
	}
	if r.Status != 0 {
		attributes = append(attributes, attribute.Int("http.response.status_code", r.Status))
	}
	if r.Code != 0 {
		attributes = append(attributes, attribute.Int("twilio.error_code", r.Code))
	}
	if r.RequestID != "" {
		attributes = append(attributes, attribute.String("twilio.request_id", r.RequestID))
	}
	span := d.span("request", start, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	if r.Kind != outcome.Sent {
		span.SetStatus(codes.Error, r.Reason.String())
	}
	span.End()
	d.since = time.Now()
}

// traceSettle records the delivery's end, and what it took since its last part.
func (d *delivery) traceSettle(became string, reason outcome.Reason) {
	if d.tracer == nil {
		return
	}
	d.span("settle", d.since, trace.WithAttributes(
		attribute.String("engage.action", d.action),
		attribute.String("engage.outcome", became),
		attribute.String("engage.reason", reason.String()),
	)).End()
}

// awaited is a traced event that is settled and not committed.
type awaited struct {
	offset int64
	since  time.Time
	parent trace.SpanContext
}

// await remembers a settled event until its commit, if that doesn't fail for
// too long. The caller holds s.mu.
func (s *stream) await(ev *event) {
	if ev.traced.IsSampled() && len(s.awaited) < s.shard.MaxUncommitted {
		s.awaited = append(s.awaited, awaited{offset: ev.msg.Offset, since: time.Now(), parent: ev.traced})
	}
}

// traceCommit ends the traces of what a commit up to offset covers.
func (s *stream) traceCommit(offset int64) {
	if s.shard.tracer == nil {
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
		_, span := s.shard.tracer.Start(ctx, "commit", trace.WithTimestamp(a.since), trace.WithAttributes(attribute.Int64("messaging.kafka.offset", a.offset)))
		span.End()
	}
}
