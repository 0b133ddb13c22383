package ratelimit

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

var wide = Config{
	Rate: 1e9, Burst: 1e9, MaxInFlight: 8,
	Breaker: BreakerConfig{FailureRatio: 0.5, MinRequests: 4, OpenFor: 30 * time.Second, HalfOpenRequests: 2},
}

// forever outlasts every test.
var forever = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)

// share gives a gate a fraction of the fleet.
func share(g *Gate, fraction float64) { g.SetParts([]Part{{0, fraction, forever}}, true) }

func with(c Config, change func(*Config)) Config { change(&c); return c }

// newGate returns a gate that owns the whole fleet's share already.
func newGate(t testing.TB, c Config) *Gate {
	t.Helper()
	g := New("us", c, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
	share(g, 1)
	time.Sleep(2 * time.Second) // in a synctest bubble
	return g
}

func mustAcquire(t testing.TB, g *Gate) *Permit {
	t.Helper()
	p, err := g.Acquire(t.Context(), Request{})
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	return p
}

func mustBeOpen(t testing.TB, g *Gate) time.Duration {
	t.Helper()
	p, err := g.Acquire(t.Context(), Request{})
	var open *OpenError
	if !errors.As(err, &open) {
		t.Fatalf("acquire gave %v, %v; want an OpenError", p, err)
	}
	if open.Region != "us" || open.RetryAfter <= 0 {
		t.Fatalf("%+v, want region us and a positive time", open)
	}
	return open.RetryAfter
}

func trip(t testing.TB, g *Gate) {
	t.Helper()
	for range 4 {
		mustAcquire(t, g).Done(Verdict{Kind: VendorFault})
	}
	if got := g.Snapshot().Breaker; got != Open {
		t.Fatalf("breaker is %v after 4 faults, want open", got)
	}
}

func TestNothingPassesWithoutAShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New("us", wide, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := g.Acquire(ctx, Request{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("acquire without a share: %v, want deadline exceeded", err)
		}
		start := time.Now()
		share(g, 1)
		mustAcquire(t, g).Done(Verdict{Kind: Delivered})
		if got := time.Since(start); got < Window || got > Window+time.Millisecond {
			t.Errorf("a new share was usable after %v, want %v", got, Window)
		}
		if got := g.Snapshot(); got != (Snapshot{Region: "us", Breaker: Closed, Rate: 1e9, Home: 1e9, InFlightLimit: 8}) {
			t.Errorf("snapshot %+v", got)
		}
	})
}

func TestFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) { c.MaxInFlight = 1; c.Rate = 10; c.Burst = 1 }))
		first := mustAcquire(t, g)
		var order []int
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				p := mustAcquire(t, g)
				order = append(order, i) // one in flight: no race
				p.Done(Verdict{Kind: Delivered})
			})
			synctest.Wait()
		}
		if got := g.Snapshot(); got.Waiting != 20 || got.InFlight != 1 {
			t.Errorf("%+v, want 20 waiting and 1 in flight", got)
		}
		first.Done(Verdict{Kind: Delivered})
		wg.Wait()
		if !slices.IsSorted(order) || len(order) != 20 {
			t.Errorf("order %v", order)
		}
	})
}

func TestInFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, wide)
		var inFlight, most, total atomic.Int64
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				p := mustAcquire(t, g)
				most.Store(max(most.Load(), inFlight.Add(1)))
				time.Sleep(time.Duration(rand.N(50)) * time.Millisecond)
				inFlight.Add(-1)
				p.Done(Verdict{Kind: Delivered})
				p.Done(Verdict{Kind: Delivered}) // counts for nothing
				total.Add(1)
			})
		}
		wg.Wait()
		if most.Load() != 8 || total.Load() != 1000 || g.Snapshot().InFlight != 0 {
			t.Errorf("at most %d in flight, %d done, %d left; want 8, 1000, 0", most.Load(), total.Load(), g.Snapshot().InFlight)
		}
	})
}

// Contexts that end at any moment leave no permit behind.
func TestNoPermitIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) { c.MaxInFlight = 3; c.Rate = 500; c.Burst = 5 }))
		var got, cancelled atomic.Int64
		var wg sync.WaitGroup
		for range 2000 {
			wg.Go(func() {
				time.Sleep(time.Duration(rand.N(int64(3 * time.Second))))
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.N(int64(20*time.Millisecond))))
				defer cancel()
				p, err := g.Acquire(ctx, Request{})
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("acquire: %v", err)
					}
					cancelled.Add(1)
					return
				}
				time.Sleep(time.Duration(rand.N(int64(10 * time.Millisecond))))
				p.Done(Verdict{Kind: Abandoned})
				got.Add(1)
			})
		}
		wg.Wait()
		if s := g.Snapshot(); s.InFlight != 0 || s.Waiting != 0 {
			t.Errorf("%d in flight, %d waiting after all; want 0, 0", s.InFlight, s.Waiting)
		}
		if got.Load() == 0 || cancelled.Load() == 0 {
			t.Errorf("%d permits, %d cancelled: not a test of both", got.Load(), cancelled.Load())
		}
		for range 3 { // all three places are free
			defer mustAcquire(t, g).Done(Verdict{Kind: Abandoned})
		}
	})
}

func TestEndedContextGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, wide)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p, err := g.Acquire(ctx, Request{}); p != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("acquire with an ended context gave %v, %v", p, err)
		}
	})
}

func TestBreakerOpensAndProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, wide)
		// Messages' own faults, throttling and cancellation don't count.
		for _, kind := range []VerdictKind{Refused, Abandoned, 0} {
			for range 50 {
				mustAcquire(t, g).Done(Verdict{Kind: kind})
			}
		}
		time.Sleep(failureWindow + failureBucket)
		trip(t, g)
		if got := mustBeOpen(t, g); got < 30*time.Second || got > 30*time.Second+10*time.Millisecond {
			t.Errorf("told to wait %v, want 30s", got)
		}
		time.Sleep(mustBeOpen(t, g))

		// Half-open: two probes in total, then nothing until they are back.
		a, b := mustAcquire(t, g), mustAcquire(t, g)
		if got := mustBeOpen(t, g); got != probeWait {
			t.Errorf("told to wait %v while probing, want %v", got, probeWait)
		}
		a.Done(Verdict{Kind: Delivered})
		mustBeOpen(t, g)
		b.Done(Verdict{Kind: VendorFault})
		if got := g.Snapshot().Breaker; got != Open {
			t.Errorf("breaker is %v after a failed probe, want open", got)
		}

		time.Sleep(mustBeOpen(t, g))
		a, b = mustAcquire(t, g), mustAcquire(t, g)
		a.Done(Verdict{Kind: Refused})
		b.Done(Verdict{Kind: Delivered})
		if got := g.Snapshot().Breaker; got != Closed {
			t.Errorf("breaker is %v after good probes, want closed", got)
		}
	})
}

// Probes that say nothing of the vendor make room for others; they must not
// leave the breaker half-open for ever.
func TestProbesWithoutAnAnswerDontWedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, wide)
		trip(t, g)
		time.Sleep(mustBeOpen(t, g))
		for i := range 50 {
			a, b := mustAcquire(t, g), mustAcquire(t, g)
			mustBeOpen(t, g)
			a.Done(Verdict{Kind: Abandoned})
			b.Done(Verdict{Kind: Throttled, RetryAfter: time.Millisecond})
			if got := g.Snapshot().Breaker; got != HalfOpen {
				t.Fatalf("breaker is %v after round %d without an answer, want half-open", got, i)
			}
			// Throttling cut the limit to 1; let it rise again without an answer.
			g.mu.Lock()
			g.throttle.limit = 8
			g.mu.Unlock()
		}
		a, b := mustAcquire(t, g), mustAcquire(t, g)
		a.Done(Verdict{Kind: Delivered})
		b.Done(Verdict{Kind: Delivered})
		if got := g.Snapshot().Breaker; got != Closed {
			t.Errorf("breaker is %v, want closed", got)
		}
	})
}

func TestOpeningWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) { c.MaxInFlight = 4 }))
		var permits []*Permit
		for range 4 {
			permits = append(permits, mustAcquire(t, g))
		}
		var opened atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := g.Acquire(t.Context(), Request{})
				if open := (*OpenError)(nil); errors.As(err, &open) && open.RetryAfter > 29*time.Second {
					opened.Add(1)
				}
			})
		}
		synctest.Wait()
		for _, p := range permits[:3] {
			mustNotHaveResolved := opened.Load()
			p.Done(Verdict{Kind: VendorFault})
			synctest.Wait()
			if mustNotHaveResolved != 0 {
				t.Fatal("woken before the breaker opened")
			}
		}
		// The three places went to waiters; their permits are theirs. The
		// fourth fault opens the breaker.
		permits[3].Done(Verdict{Kind: VendorFault})
		wg.Wait()
		if got := opened.Load(); got != 97 {
			t.Errorf("%d told that the breaker is open, want 97", got)
		}
		if got := g.Snapshot().Waiting; got != 0 {
			t.Errorf("%d still wait", got)
		}
	})
}

// A slow region whose every request fails is down, however long the faults
// took to come.
func TestFaultsInARowOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, wide)
		for i := range 4 {
			if got := g.Snapshot().Breaker; got != Closed {
				t.Fatalf("breaker is %v after %d faults, want closed", got, i)
			}
			mustAcquire(t, g).Done(Verdict{Kind: VendorFault})
			time.Sleep(time.Minute)
		}
		if got := g.Snapshot().Breaker; got != HalfOpen { // a minute after it opened
			t.Errorf("breaker is %v, want half-open", got)
		}
	})
}

// What was under way when the breaker opened says nothing afterwards.
func TestLateFaultsDontCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, wide)
		late := []*Permit{mustAcquire(t, g), mustAcquire(t, g), mustAcquire(t, g), mustAcquire(t, g)}
		trip(t, g)
		time.Sleep(mustBeOpen(t, g))
		for range 2 {
			mustAcquire(t, g).Done(Verdict{Kind: Delivered})
		}
		for _, p := range late {
			p.Done(Verdict{Kind: VendorFault})
		}
		mustAcquire(t, g).Done(Verdict{Kind: VendorFault})
		if got := g.Snapshot().Breaker; got != Closed {
			t.Errorf("breaker is %v after late faults, want closed", got)
		}
	})
}

// An outage costs the faults that open the breaker, and a handful of probes.
func TestOutageIsProbedSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) {
			c.Rate, c.Burst, c.MaxInFlight = 100, 100, 128
			c.Breaker = BreakerConfig{FailureRatio: 0.5, MinRequests: 20, OpenFor: 2 * time.Second, HalfOpenRequests: 3}
		}))
		down, up := time.Now().Add(time.Second), time.Now().Add(16*time.Second)
		var faults, delivered atomic.Int64
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				for {
					p, err := g.Acquire(t.Context(), Request{})
					if open := (*OpenError)(nil); errors.As(err, &open) {
						time.Sleep(open.RetryAfter)
						continue
					}
					time.Sleep(50 * time.Millisecond)
					if now := time.Now(); now.After(down) && now.Before(up) {
						faults.Add(1)
						p.Done(Verdict{Kind: VendorFault})
						continue
					}
					delivered.Add(1)
					p.Done(Verdict{Kind: Delivered})
					return
				}
			})
		}
		wg.Wait()
		if got := delivered.Load(); got != 1000 {
			t.Errorf("%d delivered, want 1000", got)
		}
		// About 100 to outweigh the good second before, then 3 for each of
		// the 8 times that the breaker let probes through.
		if got := faults.Load(); got > 150 {
			t.Errorf("%d requests failed during the outage, want a handful after those that opened the breaker", got)
		}
	})
}

func TestThrottledSlowsAndNeverTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, wide)
		var permits []*Permit
		for range 8 {
			permits = append(permits, mustAcquire(t, g))
		}
		time.Sleep(50 * time.Millisecond)
		for _, p := range permits {
			p.Done(Verdict{Kind: Throttled, RetryAfter: 3 * time.Second})
		}
		paused := time.Now()
		if got := g.Snapshot(); got.InFlightLimit != 4 || got.Breaker != Closed || !got.PausedUntil.Equal(paused.Add(3*time.Second)) {
			t.Errorf("%+v, want a limit of 4, closed, paused for 3s", got)
		}
		p := mustAcquire(t, g)
		if got := time.Since(paused); got != 3*time.Second {
			t.Errorf("went on after %v, want 3s", got)
		}
		p.Done(Verdict{Kind: Delivered})
		for range 100 {
			mustAcquire(t, g).Done(Verdict{Kind: Delivered})
		}
		if got := g.Snapshot().InFlightLimit; got != 8 {
			t.Errorf("limit %d after many successes, want 8", got)
		}
	})
}

func TestPauseEarnsNoBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) { c.Rate, c.Burst, c.MaxInFlight = 10, 10, 100 }))
		mustAcquire(t, g).Done(Verdict{Kind: Throttled, RetryAfter: 10 * time.Second})
		g.mu.Lock()
		g.throttle.limit = 100
		g.mu.Unlock()
		var wg sync.WaitGroup
		var given []time.Time
		var mu sync.Mutex
		for range 20 {
			wg.Go(func() {
				p := mustAcquire(t, g)
				mu.Lock()
				given = append(given, time.Now())
				mu.Unlock()
				p.Done(Verdict{Kind: Delivered})
			})
		}
		wg.Wait()
		for i := range len(given) - 2 {
			if gap := given[i+2].Sub(given[i]); gap < 100*time.Millisecond {
				t.Errorf("permits %d to %d came within %v after a pause", i, i+2, gap)
			}
		}
	})
}

// Three replicas behind one vendor, through rebalances: the rate holds in
// every second, and is used.
func TestFleetThroughRebalances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := metrics.New(prometheus.NewRegistry())
		c := with(wide, func(c *Config) { c.Rate, c.Burst, c.MaxInFlight = 100, 100, 64 })
		fleet := []*Gate{New("us", c, m, zerolog.Nop()), New("us", c, m, zerolog.Nop()), New("us", c, m, zerolog.Nop())}
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var given []time.Time
		var wg sync.WaitGroup
		for _, g := range fleet {
			for range 100 {
				wg.Go(func() {
					for {
						p, err := g.Acquire(ctx, Request{})
						if err != nil {
							return
						}
						mu.Lock()
						given = append(given, time.Now())
						mu.Unlock()
						time.Sleep(50 * time.Millisecond)
						p.Done(Verdict{Kind: Delivered})
					}
				})
			}
		}
		held := make([]float64, len(fleet))
		split := func(shares ...float64) {
			for i, g := range fleet { // given up first
				held[i] = min(held[i], shares[i])
				share(g, held[i])
			}
			for i, g := range fleet {
				held[i] = shares[i]
				share(g, held[i])
			}
		}
		steady := func(seconds int) {
			t.Helper()
			time.Sleep(Window)
			mu.Lock()
			before := len(given)
			mu.Unlock()
			time.Sleep(time.Duration(seconds) * time.Second)
			mu.Lock()
			defer mu.Unlock()
			if used := len(given) - before; used < 90*seconds {
				t.Errorf("%d permits in %d s, want at least %d", used, seconds, 90*seconds)
			}
		}
		split(1, 0, 0)
		steady(10)
		split(0.5, 0.5, 0)
		steady(10)
		split(1./3, 1./3, 1./3)
		steady(10)
		for range 20 { // a fleet that doesn't come to rest
			split(1, 0, 0)
			time.Sleep(time.Duration(rand.N(int64(1500 * time.Millisecond))))
			split(0, 1, 0)
			time.Sleep(time.Duration(rand.N(int64(1500 * time.Millisecond))))
			split(0.25, 0.25, 0.5)
		}
		split(0, 0, 1)
		steady(10)
		cancel()
		wg.Wait()
		if got := mostInASecond(given); got > 100 {
			t.Errorf("%d permits in a second, want at most 100", got)
		}
	})
}

// What a holder does between its permit and its request can't bring requests
// together.
func TestLateStartsDontBunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) { c.Rate, c.Burst, c.MaxInFlight = 50, 10, 200 }))
		stall := time.Now().Add(3 * time.Second)
		var mu sync.Mutex
		var started []time.Time
		var wg sync.WaitGroup
		for i := range 400 {
			wg.Go(func() {
				p := mustAcquire(t, g)
				if now := time.Now(); now.Before(stall) && now.After(stall.Add(-900*time.Millisecond)) {
					time.Sleep(stall.Sub(now)) // a write that hangs, and comes back for all at once
				}
				if i%10 == 0 {
					p.Done(Verdict{Kind: Abandoned})
					return
				}
				p.Start()
				p.Start() // counts for nothing
				mu.Lock()
				started = append(started, time.Now())
				mu.Unlock()
				time.Sleep(100 * time.Millisecond)
				p.Done(Verdict{Kind: Delivered})
			})
		}
		wg.Wait()
		if got := mostInASecond(started); got > 50 {
			t.Errorf("%d requests in a second, want at most 50", got)
		}
		if len(started) != 360 {
			t.Errorf("%d requests, want 360", len(started))
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.pacer.slots.taken != 0 {
			t.Errorf("%d permits are still open for the rate", g.pacer.slots.taken)
		}
	})
}

func TestMetricsAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		var log bytes.Buffer
		g := New("us", with(wide, func(c *Config) { c.Rate = 80 }), metrics.New(reg), zerolog.New(&log))
		share(g, 0.25)
		time.Sleep(2 * time.Second) // the share becomes usable without anybody asking
		held := mustAcquire(t, g)
		mustAcquire(t, g).Done(Verdict{Kind: Throttled, RetryAfter: time.Second})
		time.Sleep(time.Second)
		held.Done(Verdict{Kind: Delivered})
		for range 3 { // of four that ended
			mustAcquire(t, g).Done(Verdict{Kind: VendorFault})
		}
		mustBeOpen(t, g)
		const want = `
# HELP engage_breaker_state The region's circuit breaker: 0 closed, 1 half-open, 2 open.
# TYPE engage_breaker_state gauge
engage_breaker_state{region="us"} 2
# HELP engage_in_flight_requests Requests to Twilio in flight.
# TYPE engage_in_flight_requests gauge
engage_in_flight_requests{region="us"} 0
# HELP engage_in_flight_limit_requests Requests in flight that the region allows at the moment.
# TYPE engage_in_flight_limit_requests gauge
engage_in_flight_limit_requests{region="us"} 1
# HELP engage_rate_limit_messages_per_second This replica's share of the region's rate, in messages per second.
# TYPE engage_rate_limit_messages_per_second gauge
engage_rate_limit_messages_per_second{region="us"} 20
# HELP engage_throttled_total Answers by which Twilio asked to slow down.
# TYPE engage_throttled_total counter
engage_throttled_total{region="us"} 1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "engage_breaker_state", "engage_in_flight_requests",
			"engage_in_flight_limit_requests", "engage_rate_limit_messages_per_second", "engage_throttled_total"); err != nil {
			t.Error(err)
		}
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "engage_gate_wait_seconds" && f.GetMetric()[0].GetHistogram().GetSampleCount() != 5 {
				t.Errorf("%d waits observed, want 5", f.GetMetric()[0].GetHistogram().GetSampleCount())
			}
		}
		wantLog := `{"level":"warn","region":"us","pause":1000,"in_flight_limit":1,"message":"throttled: the region pauses and goes on with fewer requests in flight"}
{"level":"warn","region":"us","from":"closed","to":"open","message":"circuit breaker changed"}
`
		if log.String() != wantLog {
			t.Errorf("log:\n%swant:\n%s", log.String(), wantLog)
		}
	})
}

// The real clock and the race detector.
func TestConcurrentUse(t *testing.T) {
	g := New("us", wide, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
	share(g, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	kinds := []VerdictKind{Delivered, Delivered, Delivered, Refused, Abandoned, VendorFault, Throttled}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for ctx.Err() == nil {
				one, stop := context.WithTimeout(ctx, time.Duration(rand.N(int64(5*time.Millisecond))))
				if p, err := g.Acquire(one, Request{}); err == nil {
					p.Done(Verdict{Kind: kinds[rand.N(len(kinds))], RetryAfter: time.Millisecond})
				}
				stop()
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			share(g, rand.Float64())
			g.Snapshot()
			time.Sleep(100 * time.Microsecond)
		}
	})
	wg.Wait()
	if got := g.Snapshot(); got.InFlight != 0 || got.Waiting != 0 {
		t.Errorf("%d in flight, %d waiting after all; want 0, 0", got.InFlight, got.Waiting)
	}
}
