package worker

import (
	"bytes"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

// A line of the log sums up what came since the one before.
func TestSummary(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	gather := func() summary {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return summaries(families)["d"]
	}
	m.RecordsRead.WithLabelValues("d", "source").Add(100)
	m.Events.WithLabelValues("d", "a", "sent", "").Add(7)
	before := gather()
	m.RecordsRead.WithLabelValues("d", "source").Add(50)
	m.RecordsRead.WithLabelValues("d", "30s").Add(9)
	m.RecordsRead.WithLabelValues("other", "source").Add(9)
	m.Lag.WithLabelValues("d", "source", "0").Set(3)
	m.Lag.WithLabelValues("d", "source", "1").Set(4)
	m.Events.WithLabelValues("d", "", "skipped", "no_match").Add(30)
	m.Events.WithLabelValues("d", "a", "skipped", "no_recipient").Add(10)
	m.Events.WithLabelValues("d", "a", "sent", "").Add(5)
	m.Events.WithLabelValues("d", "b", "sent", "").Add(1)
	m.Events.WithLabelValues("d", "a", "dead_letter", "expired").Add(2)
	m.Events.WithLabelValues("d", "a", "retry", "rate_limited").Add(3)
	var logged bytes.Buffer
	log := zerolog.New(&logged)
	gather().since(before).write(log.Info())
	for _, want := range []string{`"read":50,"matched":21,"sent":6,"skipped":{`, `"no_match":30`, `"no_recipient":10`, `},"dead":2,"retried":3,"lag":7,"message":"the last minute"`} {
		if !bytes.Contains(logged.Bytes(), []byte(want)) {
			t.Errorf("%s has no %s", logged.Bytes(), want)
		}
	}
}
