package integration

import (
	"fmt"
	"testing"
	"time"

	"engage-worker/internal/sim/twiliosim"
)

// patient is a region whose breaker doesn't open for a few failures.
const patient = "  us-west-2: {rate: 100000, burst: 1000, maxInFlight: 64, breaker: {minRequests: 100000}}\n"

// TestACorrectedTriggerStopsWhatWaits: wrong messages wait in a retry topic,
// the trigger is corrected, and none of them is sent.
func TestACorrectedTriggerStopsWhatWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: patient, sim: twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Outage: twiliosim.Refused}}}})
	const n = 20
	r.produce(people(n, "")...)
	w := r.start()
	r.await(20*time.Second, func() error {
		if got := value(t, w.Registry(), "engage_events_total", map[string]string{"outcome": "retry"}); got < n {
			return fmt.Errorf("%v wait in a retry topic", got)
		}
		return nil
	})
	w.stop()
	r.change("        type: sendSms\n", "        type: sendSms\n        trigger: event = \"Order Shipped\"\n")
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	w = r.start(shortTiers)
	r.awaitSettled(30 * time.Second)
	if got := r.sim.Stats().Accepted; got > 0 {
		t.Errorf("%d wrong messages were sent", got)
	}
	stopped := map[string]string{"action": "welcome-sms", "outcome": "skipped", "reason": "no_match"}
	if got := value(t, w.Registry(), "engage_events_total", stopped); got != n {
		t.Errorf("%v deliveries count as %v, want %d", got, stopped, n)
	}
	if dead := r.deadLetters(); len(dead) > 0 {
		t.Errorf("%d dead letters, the first because of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
}
