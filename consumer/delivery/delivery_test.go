package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// TestBlocksOthers: a delivery whose region is closed off is held where that
// costs no other region's deliveries anything, and else only for a while.
func TestBlocksOthers(t *testing.T) {
	const short = time.Second
	for _, c := range []struct {
		name     string
		held     time.Duration
		single   bool // the destination has one region
		pressed  bool // room is short
		followed bool // by an event of the same key
		other    string
		want     bool
	}{
		{"just now", 0, false, true, true, "closed", false},
		{"a while, nobody waits", short, false, false, false, "closed", false},
		{"long, others go on", holdInPlace, false, false, false, "closed", true},
		{"room is short", short, false, true, false, "closed", true},
		{"its key's next event waits", short, false, false, true, "closed", true},
		{"long, no other region was used", holdInPlace, false, false, false, "", false},
		{"room is short, no other region was used", short, false, true, false, "", false},
		{"long and room is short, no other was used: one may come", holdInPlace, false, true, false, "", true},
		{"long and room is short, the other is closed off too", holdInPlace, false, true, false, "open", false},
		{"one region", time.Hour, true, true, true, "closed", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := metrics.New(prometheus.NewRegistry())
				gate := func(region string, open bool) *ratelimit.Gate {
					g := ratelimit.New(region, ratelimit.Config{Rate: 1000, Burst: 10, MaxInFlight: 1, Breaker: ratelimit.BreakerConfig{FailureRatio: 0.5, MinRequests: 1, OpenFor: time.Hour}}, m, zerolog.Nop())
					if open {
						g.SetParts([]ratelimit.Part{{From: 0, To: 1, Until: time.Now().Add(time.Hour)}}, true)
						permit, err := g.Acquire(t.Context(), ratelimit.Request{})
						if err != nil {
							t.Fatal(err)
						}
						permit.Done(ratelimit.Verdict{Kind: ratelimit.VendorFault})
					}
					return g
				}
				closedOff := gate("closed-off", true)
				peers := NewPeers(NewFlights(), nil, nil)
				peers.use(closedOff)
				if c.other != "" {
					peers.use(gate("other", c.other == "open"))
				}
				d := &delivery{
					cfg: &Config{SeveralRegions: !c.single}, parts: &Parts{Peers: peers, Pressure: pressed(c.pressed)},
					followed: func() bool { return c.followed }, gate: closedOff,
				}
				if got := d.blocksOthers(c.held); got != c.want {
					t.Errorf("%t, want %t", got, c.want)
				}
			})
		})
	}
}

type pressed bool

func (p pressed) UnderPressure() bool { return bool(p) }
