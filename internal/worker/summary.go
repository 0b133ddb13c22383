package worker

import (
	"context"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"
)

// summaryEvery is how often the log sums up what became of events.
const summaryEvery = time.Minute

// summary is what a destination has done since the worker began, and its lag.
type summary struct {
	read, matched, sent, dead, retried, lag float64

	skipped map[string]float64 // by reason
}

// summarize writes a line for each destination every minute until ctx ends,
// as the metrics say it.
func (w *Worker) summarize(ctx context.Context) {
	tick := time.NewTicker(summaryEvery)
	defer tick.Stop()
	before := map[string]summary{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		families, err := w.registry.Gather()
		if err != nil {
			w.log.Warn().Err(err).Msg("the metrics can't be summed up")
			continue
		}
		now := summaries(families)
		for _, d := range w.cfg.Destinations {
			now[d.Name].since(before[d.Name]).write(w.log.Info().Str("destination", d.Name))
		}
		before = now
	}
}

// summaries are what the metrics say of each destination.
func summaries(families []*dto.MetricFamily) map[string]summary {
	all := map[string]summary{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			s := all[labels["destination"]]
			s.take(f.GetName(), labels, m)
			all[labels["destination"]] = s
		}
	}
	return all
}

// take adds one series.
func (s *summary) take(name string, labels map[string]string, m *dto.Metric) {
	n := m.GetCounter().GetValue()
	switch name {
	case "engage_records_read_total":
		if labels["stream"] == "source" {
			s.read += n
		}
	case "engage_lag_records":
		if labels["stream"] == "source" {
			s.lag += m.GetGauge().GetValue()
		}
	case "engage_events_total":
		if labels["action"] != "" {
			s.matched += n
		}
		switch labels["outcome"] {
		case "sent":
			s.sent += n
		case "dead_letter":
			s.dead += n
		case "retry":
			s.retried += n
		case "skipped":
			if s.skipped == nil {
				s.skipped = map[string]float64{}
			}
			s.skipped[labels["reason"]] += n
		}
	}
}

// since is what came after an earlier summary.
func (s summary) since(before summary) summary {
	skipped := map[string]float64{}
	for reason, n := range s.skipped {
		skipped[reason] = n - before.skipped[reason]
	}
	return summary{
		read: s.read - before.read, matched: s.matched - before.matched, sent: s.sent - before.sent,
		dead: s.dead - before.dead, retried: s.retried - before.retried, lag: s.lag, skipped: skipped,
	}
}

func (s summary) write(e *zerolog.Event) {
	skipped := zerolog.Dict()
	for reason, n := range s.skipped {
		if n > 0 {
			skipped.Float64(reason, n)
		}
	}
	e.Float64("read", s.read).Float64("matched", s.matched).Float64("sent", s.sent).Dict("skipped", skipped).
		Float64("dead", s.dead).Float64("retried", s.retried).Float64("lag", s.lag).Msg("the last minute")
}
