package intake

import (
	"github.com/prometheus/client_golang/prometheus"

	"engage-worker/internal/metrics"
)

// gauges are a stream's.
type gauges struct{ lag, lagSeconds, oldestOpen, span, watermark gauge }

func newGauges(m *metrics.Metrics, labels ...string) gauges {
	of := func(all *prometheus.GaugeVec) gauge { return gauge{all: all, labels: labels} }
	return gauges{lag: of(m.Lag), lagSeconds: of(m.LagSeconds), oldestOpen: of(m.OldestOpen), span: of(m.UncommittedSpan), watermark: of(m.Watermark)}
}

// gauge is one that is shown from when it is first set until it is forgotten. It
// looks itself up once, and says nothing twice: many streams are measured every second.
type gauge struct {
	all    *prometheus.GaugeVec
	labels []string
	own    prometheus.Gauge // nil while it isn't shown
	shown  float64
}

func (g *gauge) set(value float64) {
	if g.own == nil {
		g.own = g.all.WithLabelValues(g.labels...)
	} else if g.shown == value {
		return
	}
	g.shown = value
	g.own.Set(value)
}

func (g *gauge) forget() {
	g.all.DeleteLabelValues(g.labels...)
	g.own = nil
}
