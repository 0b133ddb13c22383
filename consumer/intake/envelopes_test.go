package intake

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
)

// fixedMatcher says the same of each value.
type fixedMatcher actions.Match

func (f fixedMatcher) Match([]byte) actions.Match { return actions.Match(f) }

// TestEnvelopesAreToldOnceAMinute: by the streams of a destination together,
// and counted each.
func TestEnvelopesAreToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := metrics.New(prometheus.NewRegistry())
		parts := Parts{
			Matcher: fixedMatcher{Envelope: actions.EnvelopeDebezium}, Metrics: m,
			Envelopes: NewEnvelopes("d", m, zerolog.New(&log)),
		}
		streams := []*Stream{New(Config{Destination: "d", Topic: "t", Name: "source"}, parts), New(Config{Destination: "d", Topic: "t", Name: "source"}, parts)}
		pass := func() {
			for _, s := range streams {
				for range 5 {
					if ev, _, _ := s.examine(t.Context(), &records.Record{Value: []byte("{}")}); ev != nil {
						t.Fatal("wanted")
					}
				}
				s.flush()
			}
		}
		for range 61 {
			pass()
			time.Sleep(time.Second)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `"envelope":"debezium","events":5`) || !strings.Contains(lines[1], `"events":600`) {
			t.Errorf("%q", lines)
		}
		if n := testutil.ToFloat64(m.Enveloped.WithLabelValues("d", "debezium")); n != 610 {
			t.Errorf("%v are counted", n)
		}
		if n := testutil.ToFloat64(m.Events.WithLabelValues("d", "", "skipped", "no_match")); n != 610 {
			t.Errorf("%v weren't wanted", n)
		}
	})
}
