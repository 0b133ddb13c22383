package fleet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"engage-worker/internal/metrics"
	"engage-worker/internal/sim/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replica serves a worker's metrics and readiness.
type replica struct {
	*metrics.Metrics
	*httptest.Server
	unready string
}

func newReplica(t *testing.T) *replica {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r := &replica{Metrics: metrics.New(registry)}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(metrics.WithFormerNames(registry), promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if r.unready != "" {
			http.Error(w, r.unready, http.StatusServiceUnavailable)
		}
	})
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	r.Begin("onboarding", []string{"us-west-2"}, []string{"30s"})
	r.BuildInfo.WithLabelValues("1.2.3", "abc", "go1.26").Set(1)
	return r
}

func (r *replica) address() string { return r.Listener.Addr().String() }

// fill sets each metric that the view is made of.
func (r *replica) fill() {
	const d, us = "onboarding", "us-west-2"
	r.RateLimit.WithLabelValues(us).Set(50)
	r.InFlight.WithLabelValues(us).Set(3)
	r.InFlightLimit.WithLabelValues(us).Set(32)
	r.BreakerState.WithLabelValues(us).Set(2)
	r.GateWaiting.WithLabelValues(us, "").Set(4)
	r.GateWaiting.WithLabelValues(us, "+15005550006").Set(2)
	for whose, n := range map[string]float64{"home": 5, "lent": 1, "borrowed": 2, "wanted": 7, "lacking": 1} {
		r.RateSlots.WithLabelValues(us, "+15005550006", whose).Set(n)
		r.RateSlots.WithLabelValues(us, "", whose).Set(n)
	}
	r.RateLimit.WithLabelValues(statusGate).Set(5)
	for shard := range 2 {
		r.Lag.WithLabelValues(d, "source", fmt.Sprint(shard)).Set(10)
		r.Lag.WithLabelValues(d, "30s", fmt.Sprint(shard)).Set(1)
		r.LagSeconds.WithLabelValues(d, "source", fmt.Sprint(shard)).Set(30)
		r.OldestOpen.WithLabelValues(d, "source", fmt.Sprint(shard)).Set(20)
		r.OldestOpen.WithLabelValues(d, "30m", fmt.Sprint(shard)).Set(1700)
	}
	r.Shards.WithLabelValues(d).Set(2)
	r.StuckShards.WithLabelValues(d).Set(1)
	r.Held.WithLabelValues(d, "breaker").Set(6)
	r.AccountClosed.WithLabelValues(d).Set(1)
	r.SendersClosed.WithLabelValues(d).Set(1)
	r.MessagesPending.WithLabelValues(d).Set(8)
	r.OldestPending.WithLabelValues(d).Set(90)
}

// count is what a replica does in a moment.
func (r *replica) count() {
	const d, us = "onboarding", "us-west-2"
	r.RecordsRead.WithLabelValues(d, "source").Add(100)
	r.RecordsRead.WithLabelValues(d, "30s").Add(5)
	r.Events.WithLabelValues(d, "", "skipped", "no_match").Add(60)
	r.Events.WithLabelValues(d, "welcome", "skipped", "not_subscribed").Add(10)
	r.Events.WithLabelValues(d, "welcome", "sent", "").Add(20)
	r.Events.WithLabelValues(d, "welcome", "retry", "rate_limited").Add(3)
	r.Events.WithLabelValues(d, "welcome", "dead_letter", "opted_out").Add(2)
	r.DeadLetters.WithLabelValues(d, "welcome", "opted_out", "permanent").Add(2)
	for range 30 {
		r.RequestDuration.WithLabelValues(d, us, "sent").Observe(0.1)
	}
	r.Throttled.WithLabelValues(us).Add(1)
	r.Messages.WithLabelValues(d, "welcome", us, "accepted").Add(20)
	r.Messages.WithLabelValues(d, "welcome", us, "delivered").Add(15)
	r.StatusRequests.WithLabelValues(d, "page", "ok").Add(30)
}

// What two replicas say of themselves becomes one view.
func TestView(t *testing.T) {
	one, two := newReplica(t), newReplica(t)
	one.fill()
	two.fill()
	one.count() // before the desk began: not counted
	two.unready = "kafka doesn't answer: \x1b[31mno\u202e broker\nat all\n"
	f := New(Config{Addresses: []string{one.address(), two.address()}})
	defer f.client.CloseIdleConnections()
	round := func(now time.Time) View {
		f.take(now, f.round(t.Context()))
		return f.View()
	}
	round(at)
	one.count()
	two.count()
	v := round(at.Add(30 * time.Second))

	if len(v.Replicas) != 2 || len(v.Regions) != 1 || len(v.Destinations) != 1 {
		t.Fatalf("got %+v", v)
	}
	for _, r := range v.Replicas {
		why := map[string]string{one.address(): "", two.address(): "kafka doesn't answer: [31mno broker\nat all"}[r.Address]
		if want := (Replica{Address: r.Address, Up: true, Ready: why == "", Why: why, Version: "1.2.3", Since: at}); r != want {
			t.Errorf("replica %+v, want %+v", r, want)
		}
	}
	region := fmt.Sprintf("%+v", v.Regions[0])
	if want := fmt.Sprintf("%+v", Region{
		Name: "us-west-2", Allowed: 100, Used: 2, Waiting: 8, InFlight: 6, InFlightLimit: 64, Breaker: BreakerOpen, BreakerSince: at,
		Throttled: 2, Senders: []Sender{{"+15005550006", 12, 4}},
	}); region != want {
		t.Errorf("region\n%s, want\n%s", region, want)
	}
	d := v.Destinations[0]
	hourly := Window{
		Since: at, Read: 200, Matched: 70,
		Skipped: []Count{{"no_match", 120}, {"not_subscribed", 20}},
	}
	if got, want := fmt.Sprintf("%+v", d.Windows[hour]), fmt.Sprintf("%+v", hourly); got != want {
		t.Errorf("window\n%s, want\n%s", got, want)
	}
	flow := Flow{Destination: "onboarding", Dead: []Count{{"opted_out", 4}}, Settled: 44, Further: 30, Delivered: 30, Ended: 30, DayDelivered: 30, DayEnded: 30}
	if got, want := fmt.Sprintf("%+v", d.Flow), fmt.Sprintf("%+v", flow); got != want {
		t.Errorf("flow\n%s, want\n%s", got, want)
	}
	d.Windows, d.Flow = nil, Flow{}
	want := Destination{
		Name: "onboarding", Lag: 20, OldestOpen: 20 * time.Second, OldestSeconds: 20, Retrying: 2, Stuck: 2, Held: []Count{{"breaker", 12}},
		AccountClosed: at, SendersClosed: 1, SendersSince: at, Pending: 16,
	}
	if got, want := fmt.Sprintf("%+v", d), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("destination\n%s, want\n%s", got, want)
	}
	if v := round(at.Add(16 * time.Minute)); !v.Destinations[0].LagKnown || v.Destinations[0].LagBefore != 20 || v.Destinations[0].Flow.Accepted != 40 {
		t.Errorf("a quarter of an hour later: %+v", v.Destinations[0])
	}
}

// A replica that is away, or isn't one, is said, and isn't waited for long.
func TestAway(t *testing.T) {
	serve := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	gone, err := port.Hold()
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	elsewhere := serve(func(http.ResponseWriter, *http.Request) { t.Error("somebody was asked who isn't named") })
	for want, address := range map[string]string{
		"refuses connections: nothing listens there": gone.Addr().String(),
		"isn't host:port": "worker",
		"answers 404 at /metrics: is it a worker's http.listen?": serve(http.NotFound),
		"answers 302 at /metrics: is it a worker's http.listen?": serve(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+elsewhere, http.StatusFound)
		}),
		"answers with metrics that aren't a worker's":                          serve(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\n") }),
		"answers with more than 8192 KiB at /metrics":                          serve(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxMetrics+1)) }),
		"answers with what isn't metrics: text format parsing error in line 1": serve(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }),
		"unexpected EOF": serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "up 1\n")
		}),
		"EOF": serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	} {
		t.Run(want, func(t *testing.T) {
			f := New(Config{Addresses: []string{address}})
			defer f.client.CloseIdleConnections()
			f.take(at, f.round(t.Context()))
			v := f.View()
			if len(v.Replicas) != 1 || v.Replicas[0].Up || !strings.HasPrefix(v.Replicas[0].Why, want) {
				t.Errorf("got %+v", v.Replicas)
			}
		})
	}
}

// A name that leads to several addresses is all of them.
func TestOneFamily(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1 fd00::1 10.0.0.2": "10.0.0.1 10.0.0.2",
		"fd00::1 fd00::2":           "fd00::1 fd00::2",
		"::ffff:10.0.0.1":           "10.0.0.1",
		"127.0.0.1 ::1":             "127.0.0.1",
	} {
		var ips []netip.Addr
		for f := range strings.FieldsSeq(in) {
			ips = append(ips, netip.MustParseAddr(f))
		}
		var got []string
		for _, ip := range oneFamily(ips) {
			got = append(got, ip.String())
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %v, want %s", in, got, want)
		}
	}
	addresses, away := resolve(t.Context(), []string{"localhost:80", "127.0.0.1:80", "[::1]:81"})
	if want := []string{"127.0.0.1:80", "[::1]:81"}; !slices.Equal(addresses, want) || len(away) != 0 {
		t.Errorf("got %v, %v; want %v", addresses, away, want)
	}
}

// More replicas than are asked are said.
func TestTooMany(t *testing.T) {
	var told []string
	for i := range maxReplicas + 10 {
		told = append(told, fmt.Sprintf("127.0.0.1:%d", i+1))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody is really asked
	answers := New(Config{Addresses: told}).round(ctx)
	if n := len(answers); n != maxReplicas+1 || !strings.Contains(answers[0].why, "this and 9 more aren't asked") {
		t.Errorf("%d answers, the first %+v", n, answers[0])
	}
}

// Run asks until its end, and leaves nothing behind.
func TestRun(t *testing.T) {
	r := newReplica(t)
	for _, told := range [][]string{{r.address()}, nil} {
		ctx, cancel := context.WithCancel(t.Context())
		f := New(Config{Addresses: told, Every: time.Millisecond})
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		for len(told) > 0 && !f.View().At.After(f.View().Since) {
			time.Sleep(time.Millisecond)
		}
		if v := f.View(); v.Told != (len(told) > 0) {
			t.Errorf("got %+v", v)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
