package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/sim/twiliosim"
)

// TestNoLeaseNoRate: a replica whose commits aren't accepted can't tell whether
// another has its shards by now, so it gives up its part of the rate.
func TestNoLeaseNoRate(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{kafka: "  sessionTimeout: 2s\n", partitions: 1})
	if r.broker == nil {
		t.Skip("the fault is injected into the embedded broker")
	}
	w := r.start()
	rate := func(want float64) {
		t.Helper()
		start := time.Now()
		r.await(10*time.Second, func() error {
			for _, s := range w.Gates().Snapshots() {
				if s.Region == "us-west-2" && s.Rate == want {
					return nil
				}
			}
			return fmt.Errorf("the rates are %+v; want %v", w.Gates().Snapshots(), want)
		})
		if took := time.Since(start); want == 0 && took > 3*time.Second {
			t.Errorf("the rate was given up after %v", took)
		}
	}
	rate(100_000)
	fault := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: r.cfg.GroupID("onboarding"), Err: kerr.CoordinatorLoadInProgress, Count: -1})
	rate(0)
	fault.Remove()
	rate(100_000)
	r.produce(person(0, ""))
	r.awaitDone(20 * time.Second)
	r.onceEach(1)
}

// TestReconcilingWaitsForTheLease: what is in doubt while commits aren't
// accepted stays so until they are; that is neither the vendor's fault nor
// the delivery's.
func TestReconcilingWaitsForTheLease(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		kafka:    "  sessionTimeout: 2s\n",
		delivery: "  requestTimeout: 2s\n",
		regions:  "  us-west-2: {rate: 1000, burst: 100, maxInFlight: 64, breaker: {failureRatio: 0.5, minRequests: 200}}\n",
		sim:      twiliosim.Options{Faults: twiliosim.Faults{Seed: 1, Behaviour: twiliosim.Behaviour{AcceptedThen500: 1, ListLag: 3 * time.Second}}},
	})
	if r.broker == nil {
		t.Skip("the fault is injected into the embedded broker")
	}
	w := r.start()
	const n = 50
	r.produce(people(n, "")...)
	r.await(20*time.Second, func() error {
		if got := r.sim.Stats().Accepted; got < n {
			return fmt.Errorf("%d accepted", got)
		}
		return nil
	})
	fault := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: r.cfg.GroupID("onboarding"), Err: kerr.CoordinatorLoadInProgress, Count: -1})
	if err := r.sim.SetFaults(twiliosim.Faults{Behaviour: twiliosim.Behaviour{ListErrors: 1}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // until the lease is over
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(8 * time.Second) // without a lease: time is what is tested
	fault.Remove()
	r.awaitDone(30 * time.Second)
	r.onceEach(n)
	if got := value(t, w.Registry(), "engage_reconciliations_total", map[string]string{"result": "list_failed"}); got > 0 {
		t.Errorf("%v deliveries were given up since the list couldn't be had", got)
	}
}
