package delivery

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
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

// clock is the time where spans are made, and costs nothing elsewhere.
func (d *delivery) clock() time.Time {
	if d.parts.Tracer == nil {
		return time.Time{}
	}
	return time.Now()
}

// span records a part of the delivery's way that began at start.
func (d *delivery) span(name string, start time.Time, options ...trace.SpanStartOption) trace.Span {
	_, span := d.parts.Tracer.Start(d.ctx, name, append(options, trace.WithTimestamp(start))...)
	return span
}

// tracePrepare records what was decided since start.
func (d *delivery) tracePrepare(start time.Time) {
	if d.parts.Tracer == nil {
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
	if d.parts.Tracer == nil {
		return
	}
	d.span("gate", start, trace.WithAttributes(attribute.String("engage.region", d.plan.Region))).End()
}

// traceRequest records the request that left at start. Nothing of it is
// passed on to Twilio.
func (d *delivery) traceRequest(start time.Time, r *twilio.Result) {
	if d.parts.Tracer == nil {
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
	if d.parts.Tracer == nil {
		return
	}
	d.span("settle", d.since, trace.WithAttributes(
		attribute.String("engage.action", d.action),
		attribute.String("engage.outcome", became),
		attribute.String("engage.reason", reason.String()),
	)).End()
}
