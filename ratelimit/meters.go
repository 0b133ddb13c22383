package ratelimit

import (
	"github.com/prometheus/client_golang/prometheus"

	"engage-worker/internal/metrics"
)

// meters are the region's own metrics, looked up once.
type meters struct {
	wait      prometheus.Observer
	breaker   prometheus.Gauge
	inFlight  prometheus.Gauge
	limit     prometheus.Gauge
	rate      prometheus.Gauge
	throttled prometheus.Counter

	region  rateMeters
	senders map[*sender]rateMeters
}

// rateMeters are those of one rate.
type rateMeters struct {
	slots   [5]prometheus.Gauge // home, lent, borrowed, wanted, lacking
	granted prometheus.Counter
	waiting prometheus.Gauge
}

func newMeters(m *metrics.Metrics, region string, senders map[string]*sender) meters {
	all := meters{
		wait:      m.GateWait.WithLabelValues(region),
		breaker:   m.BreakerState.WithLabelValues(region),
		inFlight:  m.InFlight.WithLabelValues(region),
		limit:     m.InFlightLimit.WithLabelValues(region),
		rate:      m.RateLimit.WithLabelValues(region),
		throttled: m.Throttled.WithLabelValues(region),
		region:    newRateMeters(m, region, ""),
		senders:   make(map[*sender]rateMeters, len(senders)),
	}
	for _, s := range senders {
		all.senders[s] = newRateMeters(m, region, s.name)
	}
	return all
}

func newRateMeters(m *metrics.Metrics, region, sender string) (r rateMeters) {
	for i, whose := range []string{"home", "lent", "borrowed", "wanted", "lacking"} {
		r.slots[i] = m.RateSlots.WithLabelValues(region, sender, whose)
	}
	r.granted = m.RateGranted.WithLabelValues(region, sender)
	r.waiting = m.GateWaiting.WithLabelValues(region, sender)
	return r
}

// measure shows a rate, and how many wait for it.
func (r *rateMeters) measure(b *book, waiting int) {
	for i, n := range [5]int{b.home, total(b.lent), total(b.borrowed), b.demand(), b.lacks()} {
		r.slots[i].Set(float64(n))
	}
	r.granted.Add(float64(b.grants))
	b.grants = 0
	r.waiting.Set(float64(waiting))
}

// measure shows what changes with each request. The caller holds g.mu.
func (g *Gate) measure() {
	g.meters.inFlight.Set(float64(g.inFlight))
	g.meters.limit.Set(float64(g.throttle.inFlight()))
	g.meters.rate.Set(g.pacer.perSec())
}

// measureRates shows who has what, and who waits. The caller holds g.mu.
func (g *Gate) measureRates() {
	g.meters.region.measure(g.book, g.line.n)
	for s, r := range g.meters.senders {
		r.measure(s.book, s.line.n)
	}
}
