package demo

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"engage-worker/internal/metrics"
)

// measured is a registry with something of everything that the demo shows.
func measured() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.Events.WithLabelValues("americas", "welcome", "sent", "").Add(1200)
	m.Events.WithLabelValues("americas", "", "skipped", "no_match").Add(300)
	m.Events.WithLabelValues("europe", "", "skipped", "no_match").Add(400)
	m.Events.WithLabelValues("europe", "welcome", "skipped", "not_subscribed").Add(5)
	m.Events.WithLabelValues("europe", "welcome", "dead_letter", "opted_out").Add(2)
	m.Events.WithLabelValues("europe", "welcome", "dead_letter", "recipient_rejected").Add(3)
	m.EndToEnd.WithLabelValues("americas", "us-west-2").Observe(0.1)
	m.RateLimit.WithLabelValues("us-west-2").Set(60)
	m.BreakerState.WithLabelValues("eu-west-1").Set(2)
	m.InFlight.WithLabelValues("us-west-2").Set(4)
	m.Held.WithLabelValues("europe", "breaker").Set(7)
	m.Retries.WithLabelValues("europe", "30s").Add(1)
	m.Reconciliations.WithLabelValues("europe", "sent").Add(6)
	return registry
}

func TestView(t *testing.T) {
	r, err := takeReadings(measured())
	if err != nil {
		t.Fatal(err)
	}
	want := readings{
		events: map[became]int{
			{"americas", "sent", ""}: 1200, {"americas", "skipped", "no_match"}: 300, {"europe", "skipped", "no_match"}: 400,
			{"europe", "skipped", "not_subscribed"}: 5, {"europe", "dead_letter", "opted_out"}: 2, {"europe", "dead_letter", "recipient_rejected"}: 3,
		},
		regions: map[string]*region{"us-west-2": {sent: 1, rate: 60, inFlight: 4}, "eu-west-1": {breaker: breakerOpen}},
		held:    7, retries: 1, reconciled: map[string]int{"sent": 6},
	}
	if !reflect.DeepEqual(r, want) {
		t.Fatalf("\n got %+v\nwant %+v", r, want)
	}
	v := view{
		elapsed: 71 * time.Second, events: 2000, produced: 1500, accepted: 1234, readings: r,
		down: map[string]bool{"eu-west-1": true}, perSecond: map[string]int{"us-west-2": 42},
		story: []happening{{time.Second, "it began"}},
	}
	picture := `
 engage-worker demo   everything in one process: broker, simulated Twilio, producer, worker   01:11

 events      1,500 produced of 2,000   Twilio accepted 1,234 messages
 sent        1,200
 skipped         5   not_subscribed 5
 dead            5   recipient_rejected 3 · opted_out 2
 held            7   6 unanswered requests found in Twilio's list · 1 put into a retry topic

 region        sent/s   limit/s   in flight   breaker     vendor
 eu-west-1          0         0           0   OPEN        DOWN
 us-west-2         42        60           4   closed      up

 00:01  it began

 Ctrl-C ends it.
`
	var out strings.Builder
	(&screen{w: &out}).print(v.picture()...)
	if got := out.String(); got != picture {
		t.Errorf("\n got %s\nwant %s", got, picture)
	}
	const line = "01:11  produced 1500, sent 1200, skipped 5, dead letters 5, held 7; eu-west-1 0/s, breaker open; us-west-2 42/s, breaker closed"
	if got := v.line(); got != line {
		t.Errorf("\n got %s\nwant %s", got, line)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
