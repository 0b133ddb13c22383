package demo

import (
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"engage-worker/consumer"
)

// readings are what the worker's metrics said at one moment.
type readings struct {
	events     map[became]int     // deliveries by what became of them
	regions    map[string]*region // by name
	held       int                // deliveries held, whatever for
	retries    int                // put into a retry topic
	reconciled map[string]int     // ambiguous deliveries by what Twilio's list said
	statuses   map[string]int     // accepted messages by the statuses that they have reached
}

// became is what became of a delivery, by the labels of engage_events_total.
type became struct{ destination, outcome, reason string }

// region is a gate at one moment.
type region struct {
	sent     int     // messages so far
	rate     float64 // messages a second that it allows
	inFlight int
	breaker  breakerState
}

type breakerState int

// The values of engage_breaker_state.
const (
	breakerClosed breakerState = iota
	breakerHalfOpen
	breakerOpen
)

func (s breakerState) String() string {
	switch s {
	case breakerHalfOpen:
		return "half-open"
	case breakerOpen:
		return "OPEN"
	}
	return "closed"
}

// takeReadings reads the worker's own metrics, as /metrics serves them.
func takeReadings(from prometheus.Gatherer) (readings, error) {
	families, err := from.Gather()
	if err != nil {
		return readings{}, fmt.Errorf("read the worker's metrics: %w", err)
	}
	r := readings{events: map[became]int{}, regions: map[string]*region{}, reconciled: map[string]int{}, statuses: map[string]int{}}
	for _, family := range families {
		for _, m := range family.Metric {
			r.add(family.GetName(), labels(m), m)
		}
	}
	delete(r.regions, consumer.StatusRate) // the gate of questions to Twilio
	return r, nil
}

func (r *readings) add(name string, label map[string]string, m *dto.Metric) {
	switch name {
	case "engage_events_total":
		r.events[became{label["destination"], label["outcome"], label["reason"]}] += int(m.GetCounter().GetValue())
	case "engage_end_to_end_seconds":
		r.region(label["region"]).sent += int(m.GetHistogram().GetSampleCount())
	case "engage_rate_limit_messages_per_second":
		r.region(label["region"]).rate = m.GetGauge().GetValue()
	case "engage_in_flight_requests":
		r.region(label["region"]).inFlight = int(m.GetGauge().GetValue())
	case "engage_breaker_state":
		r.region(label["region"]).breaker = breakerState(m.GetGauge().GetValue())
	case "engage_held_deliveries":
		r.held += int(m.GetGauge().GetValue())
	case "engage_retries_total":
		r.retries += int(m.GetCounter().GetValue())
	case "engage_reconciliations_total":
		r.reconciled[label["result"]] += int(m.GetCounter().GetValue())
	case "engage_messages_total":
		r.statuses[label["status"]] += int(m.GetCounter().GetValue())
	}
}

func (r *readings) region(name string) *region {
	if r.regions[name] == nil {
		r.regions[name] = &region{}
	}
	return r.regions[name]
}

func labels(m *dto.Metric) map[string]string {
	values := make(map[string]string, len(m.Label))
	for _, l := range m.Label {
		values[l.GetName()] = l.GetValue()
	}
	return values
}

// by counts the deliveries with that outcome, over all destinations.
func (r *readings) by(outcome string) (total int, byReason []reasonCount) {
	reasons := map[string]int{}
	for b, n := range r.events {
		if b.outcome == outcome && n > 0 {
			reasons[b.reason] += n
			total += n
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		byReason = append(byReason, reasonCount{reason, reasons[reason]})
	}
	slices.SortStableFunc(byReason, func(a, b reasonCount) int { return b.n - a.n })
	return total, byReason
}

type reasonCount struct {
	reason string
	n      int
}
