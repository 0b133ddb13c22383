package demo

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"engage-worker/consumer"
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
	m.BreakerState.WithLabelValues(consumer.StatusRate).Set(0)
	m.InFlight.WithLabelValues("us-west-2").Set(4)
	m.Held.WithLabelValues("europe", "breaker").Set(7)
	m.Retries.WithLabelValues("europe", "30s").Add(1)
	m.Reconciliations.WithLabelValues("europe", "sent").Add(6)
	for status, n := range map[string]float64{"accepted": 1200, "sent": 1180, "delivered": 1100, "undelivered": 9, "failed": 3} {
		m.Messages.WithLabelValues("americas", "welcome", "us-west-2", status).Add(n)
	}
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
		statuses: map[string]int{"accepted": 1200, "sent": 1180, "delivered": 1100, "undelivered": 9, "failed": 3},
	}
	if !reflect.DeepEqual(r, want) {
		t.Fatalf("\n got %+v\nwant %+v", r, want)
	}
	v := view{
		elapsed: 71 * time.Second, events: 2000, produced: 1000, others: 3, accepted: 1234, readings: r,
		down: map[string]bool{"eu-west-1": true}, perSecond: map[string]int{"us-west-2": 42},
		story: []happening{{time.Second, "it began"}, {2 * time.Second, "Twilio now accepts 3 of 100 requests without saying so: a 500, or a connection reset"}},
	}
	for _, c := range []struct {
		width, height int
		want          string
	}{
		{80, 24, `
 engage-worker demo  01:11  broker, simulated Twilio, producer and worker

 events           1,003  1,000 of 2,000 made, 3 by others
 deliveries       2,006  each event under each of 2 destinations
   unwanted         700  no trigger is for the event
   sent           1,200  delivered 1,100 · failed 12 · under way 88
   skipped            5  not_subscribed 5
   dead letter        5  recipient_rejected 3 · opted_out 2
   open              96  7 of them held · 1 put into a retry topic so far
 Twilio           1,234  messages accepted · 6 unanswered, found in its list

 region        sent/s   limit/s   in flight   breaker     vendor
 eu-west-1          0         0           0   OPEN        DOWN
 us-west-2         42        60           4   closed      up

 00:01  it began
 00:02  Twilio now accepts 3 of 100 requests without saying so: a 500, or a
        connection reset

 Ctrl-C ends it.
`},
		{44, 24, `
 engage-worker demo  01:11

 events           1,003
 deliveries       2,006
   unwanted         700
   sent           1,200
   skipped            5
   dead letter        5
   open              96
 Twilio           1,234

 region        sent/s   breaker     vendor
 eu-west-1          0   OPEN        DOWN
 us-west-2         42   closed      up

 00:01  it began
 00:02  Twilio now accepts 3 of 100 requests
        without saying so: a 500, or a
        connection reset

 Ctrl-C ends it.
`},
	} {
		var out strings.Builder
		lines := v.picture(c.width, c.height)
		(&screen{w: &out}).print(lines...)
		if got := out.String(); strings.ReplaceAll(got, noBreak, " ") != c.want {
			t.Errorf("%d x %d:\n got %s\nwant %s", c.width, c.height, got, c.want)
		}
		for _, line := range lines {
			if length(line) > c.width {
				t.Errorf("wider than %d: %q", c.width, line)
			}
		}
		if len(lines) > c.height-1 {
			t.Errorf("%d lines on %d", len(lines), c.height)
		}
	}
	const line = "01:11  produced 1000, sent 1200, delivered 1100, failed 12, skipped 5, dead letters 5, held 7; 3 events by others; eu-west-1 0/s, breaker open; us-west-2 42/s, breaker closed"
	if got := v.line(); got != line {
		t.Errorf("\n got %s\nwant %s", got, line)
	}
}

// TestFunnel: its stages add up, and it fits a terminal.
func TestFunnel(t *testing.T) {
	r, err := takeReadings(measured())
	if err != nil {
		t.Fatal(err)
	}
	f := r.funnel(2000)
	var out strings.Builder
	(&screen{w: &out}).print(f.lines()...)
	const want = ` From the event to the person
 read             2,000  ██████████████████████████████  events
 matched          1,210  ███████████████████             by a trigger
   skipped            5  █                               not to be sent
   refused            5  █                               dead letters
 accepted         1,200  ██████████████████              by Twilio
   delivered      1,100  █████████████████
   failed            12  █                               dead letters, too

`
	if out.String() != want || f.underWay() != 88 {
		t.Errorf("%d under way\n got\n%s\nwant\n%s", f.underWay(), out.String(), want)
	}
	for _, line := range f.lines() {
		if length(line) > 80 {
			t.Errorf("wider than 80: %q", line)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// TestCommand: what is copied out of several lines is one command.
func TestCommand(t *testing.T) {
	got := strings.Join(command("/tmp/engage-worker preview --config /tmp/engage.yaml /tmp/events.jsonl", 40), "\n")
	if want := "   /tmp/engage-worker preview --config \\\n   /tmp/engage.yaml /tmp/events.jsonl"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		head, text string
		width      int
		want       []string
	}{
		{" 00:01  ", "one two", 0, []string{" 00:01  one two"}},
		{" 00:01  ", "one two three", 15, []string{" 00:01  one two", "        three"}},
		{"  ", "a-word-that-is-longer b", 10, []string{"  a-word-that-is-longer", "  b"}},
		{" 00:01  ", "a-word-that-is-long", 20, []string{" 00:01  ", "  a-word-that-is-long"}},
		{styled(dim, " x ") + " ", styleEach(green, "one two"), 7, []string{styled(dim, " x ") + " " + styled(green, "one"), "    " + styled(green, "two")}},
		{" ", "", 10, []string{" "}},
	} {
		if got := wrap(c.head, c.text, c.width); !reflect.DeepEqual(got, c.want) {
			t.Errorf("wrap(%q, %q, %d) = %q, want %q", c.head, c.text, c.width, got, c.want)
		}
	}
}
