package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// A request passes its region's gate, starts, and says what came of it. After
// enough failures the breaker is open, and the gate says for how long.
func ExampleGate() {
	gate := ratelimit.New("us-west-2", ratelimit.Config{
		Rate: 100, Burst: 10, MaxInFlight: 4,
		Breaker: ratelimit.BreakerConfig{FailureRatio: 0.5, MinRequests: 2, OpenFor: time.Minute, HalfOpenRequests: 1},
	}, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
	gate.SetParts([]ratelimit.Part{{From: 0, To: 1, Until: time.Now().Add(time.Minute)}}, true) // this replica has all of the fleet's rate

	for _, verdict := range []ratelimit.VerdictKind{ratelimit.Delivered, ratelimit.VendorFault, ratelimit.Delivered} {
		permit, err := gate.Acquire(context.Background(), ratelimit.Request{})
		if open, ok := errors.AsType[*ratelimit.OpenError](err); ok {
			fmt.Println(open.Region, "is closed off")
			continue
		}
		permit.Start() // right before the request leaves
		permit.Done(ratelimit.Verdict{Kind: verdict})
		fmt.Println("a request has left")
	}
	// Output:
	// a request has left
	// a request has left
	// us-west-2 is closed off
}
