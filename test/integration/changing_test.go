package integration

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"engage-worker/consumer"
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

// TestSettingsChangedInDoubt: deliveries wait in doubt, and what they were sent
// with is changed. Nobody is texted twice: with settings.former the former
// list tells, without it the outcome is unknown.
func TestSettingsChangedInDoubt(t *testing.T) {
	t.Parallel()
	const former = "      spaceId: spa_1\n"
	for _, c := range []struct {
		name    string
		change  []string // pairs
		former  string   // an item of settings.former, or ""
		unknown bool
	}{
		{"nothing", nil, "", false},
		{"nothing, though something is named as former", nil, "{from: MG9}", false},
		{"account", []string{"AC00000000000000000000000000000001", "AC00000000000000000000000000000002"}, "", true},
		{"account, with the former key", []string{"AC00000000000000000000000000000001", "AC00000000000000000000000000000002"},
			"{twilioAccountSID: AC00000000000000000000000000000001, twilioApiKeySID: SK1, twilioApiKeySecret: secret}", false},
		{"sender", []string{"MG00000000000000000000000000000001", "MG00000000000000000000000000000002"}, "", true},
		{"sender, with the former", []string{"MG00000000000000000000000000000001", "MG00000000000000000000000000000002"}, "{from: MG00000000000000000000000000000001}", false},
		{"host", []string{"twilioHostname: http://127.0.0.1", "twilioHostname: http://localhost"}, "", true},
		{"text", []string{"Welcome, ", "Quite another text for "}, "", false},
		{"key", []string{"twilioApiKeySecret: secret", "twilioApiKeySecret: another"}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings{regions: patient, sim: twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{AcceptedThen500: 1, ListErrors: 1}}}})
			const n = 10
			r.produce(people(n, "")...)
			w := r.start()
			r.await(40*time.Second, func() error {
				if got := value(t, w.Registry(), "engage_events_total", map[string]string{"outcome": "retry"}); got < n {
					return fmt.Errorf("%v wait in doubt", got)
				}
				return nil
			})
			w.stop()
			if c.former != "" {
				c.change = append(c.change, former, former+"      former: ["+c.former+"]\n")
			}
			r.change(c.change...)
			if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
				t.Fatal(err)
			}
			w = r.start(shortTiers)
			r.awaitSettled(60 * time.Second)
			if got := r.sim.Stats().Accepted; got != n {
				t.Errorf("%d messages for %d events", got, n)
			}
			found := map[string]string{"result": "sent"}
			if c.unknown {
				found["result"] = "changed"
			}
			if got := value(t, w.Registry(), "engage_reconciliations_total", found); got != n {
				t.Errorf("%v deliveries were reconciled as %v, want %d", got, found, n)
			}
			dead := r.deadLetters()
			if c.unknown != (len(dead) == n) || !c.unknown && len(dead) > 0 {
				t.Errorf("%d dead letters", len(dead))
			}
			for _, d := range dead {
				if d.Reason != "outcome_unknown" || d.Disposition != "ambiguous" {
					t.Errorf("a dead letter because of %s (%s): %s", d.Reason, d.Disposition, d.Message)
				}
			}
		})
	}
}

// TestALoweredRequestTimeout: Twilio takes messages late, and the replica that
// finds them in doubt allows requests less time than the one that sent them.
func TestALoweredRequestTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: patient, delivery: "  requestTimeout: 20s\n",
		sim: twiliosim.Options{Faults: twiliosim.Faults{Seed: 3, Behaviour: twiliosim.Behaviour{Late: 1, LateFor: 14 * time.Second}}}})
	const n = 10
	r.produce(people(n, "")...)
	w := r.start(func(c *consumer.Config) { c.ShutdownTimeout = 10 * time.Millisecond })
	r.await(20*time.Second, func() error {
		if got := value(t, w.Registry(), "engage_ledger_write_seconds", nil); got == 0 || requests(r) < n {
			return fmt.Errorf("%v requests have left", requests(r))
		}
		return nil
	})
	w.stop()
	r.change("requestTimeout: 20s", "requestTimeout: 1s")
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	r.start(shortTiers)
	r.awaitSettled(60 * time.Second)
	r.onceEach(n)
}

// quietSoon makes another group count as gone after a moment.
func quietSoon(c *consumer.Config) { c.QuietLedger = 3 * time.Second }

// TestAChangedPrefixSendsNothingTwice: a replica with another groupPrefix
// starts beside the others, as in a rolling change, and goes on after them.
func TestAChangedPrefixSendsNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2})
	const n = 40
	r.produce(people(n, "")...)
	before := r.start(quietSoon)
	r.awaitDone(30 * time.Second)
	was := r.cfg.Kafka.GroupPrefix
	r.change("groupPrefix: "+was, "groupPrefix: another-"+was)
	after := r.start(quietSoon)
	r.await(20*time.Second, func() error {
		if after.Groups()[0].State().Usurper != was+".onboarding" {
			return fmt.Errorf("%+v", after.Groups()[0].State())
		}
		return nil
	})
	for i := n; i < 2*n; i++ {
		r.produce(person(i, ""))
	}
	r.await(20*time.Second, func() error {
		if got := r.sim.Stats().Accepted; got < 2*n {
			return fmt.Errorf("%d accepted", got)
		}
		return nil
	})
	before.stop()
	time.Sleep(5 * time.Second) // the ledger is quiet: time is what is tested
	if got := after.Groups()[0].State().Usurper; got != was+".onboarding" {
		t.Errorf("the ledger counts as the new group's, of which it has nothing: %q", got)
	}
	after.stop()
	r.onceEach(2 * n)
	if !r.logs.contains("ledger.adopt") {
		t.Error("the log doesn't say what to do")
	}

	// What is there to do: the recipe of docs/changing.md.
	r.change("delivery:\n", "ledger: {adopt: "+was+"}\ndelivery:\n", "startOffset: earliest", "startOffset: latest")
	r.produce(person(2*n, ""))
	r.start(quietSoon)
	r.produce(person(2*n+1, ""))
	r.awaitSettled(30 * time.Second)
	r.onceEach(2*n + 2)
}

// TestAdoptWaitsForTheFormerGroup: as long as one of its replicas runs, the new
// group begins nothing; in doubt and waiting deliveries go over to it.
func TestAdoptWaitsForTheFormerGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2, regions: patient, sim: twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{AcceptedThen500: 1, ListErrors: 1}}}})
	const n = 20
	r.produce(people(n, "")...)
	before := r.start()
	r.await(40*time.Second, func() error {
		if got := value(t, before.Registry(), "engage_events_total", map[string]string{"outcome": "retry"}); got < n {
			return fmt.Errorf("%v wait in doubt", got)
		}
		return nil
	})
	was := r.cfg.Kafka.GroupPrefix
	r.change("groupPrefix: "+was, "groupPrefix: another-"+was, "delivery:\n", "ledger: {adopt: "+was+".onboarding}\ndelivery:\n", "startOffset: earliest", "startOffset: latest")
	after := r.start(shortTiers)
	r.await(20*time.Second, func() error {
		if !r.logs.contains("has members") {
			return fmt.Errorf("the new group doesn't wait for the former")
		}
		return nil
	})
	if s := after.Groups()[0].State(); s.Joined {
		t.Errorf("it is in its group already: %+v", s)
	}
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	before.stop()
	r.awaitSettled(60 * time.Second)
	r.onceEach(n)
	if got := value(t, after.Registry(), "engage_reconciliations_total", map[string]string{"result": "sent"}); got != n {
		t.Errorf("%v deliveries were found to be sent, want %d", got, n)
	}
}

// TestASecondEnvironment: another group has sent for the same events into the
// same ledger, and this one's come to themselves all the same.
func TestASecondEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	const n = 10
	w := r.start(quietSoon)
	r.produce(person(1000, "")) // so that the ledger is its own
	r.awaitDone(20 * time.Second)
	w.stop()
	own := r.cfg
	r.change("groupPrefix: "+r.topic, "groupPrefix: staging-"+r.topic)
	staging := r.start(func(c *consumer.Config) { c.QuietLedger = 0 })
	r.produce(people(n, "")...)
	r.readyz(20*time.Second, http.StatusServiceUnavailable, "onboarding: the ledger "+r.cfg.LedgerTopic("onboarding")+" is written by the group "+own.GroupID("onboarding")+", too: "+consumer.UsurperAdvice)
	time.Sleep(3 * time.Second) // while it could send: time is what is tested
	if got := staging.Groups()[0].State().Usurper; got == "" {
		t.Error("the second environment takes production's ledger for its own")
	}
	staging.stop()
	if got := r.sim.Stats().Accepted; got != 1 {
		t.Errorf("%d messages", got)
	}
	r.cfg = own
	r.start(quietSoon)
	r.awaitDone(30 * time.Second)
	if got := r.sim.Stats().Accepted; got != n+1 {
		t.Errorf("%d messages, want %d", got, n+1)
	}
}

// TestARenamedAction: what was sent, waits or is in doubt under the former name
// is the action's, and so is what comes again.
func TestARenamedAction(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: patient, partitions: 2, sim: twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{AcceptedThen500: 1, ListErrors: 1}}}})
	const sent, doubtful, waiting = 10, 20, 30 // up to each
	w := r.start()
	awaitRetries := func(n float64) {
		r.await(40*time.Second, func() error {
			if got := value(t, w.Registry(), "engage_events_total", map[string]string{"outcome": "retry"}); got < n {
				return fmt.Errorf("%v wait", got)
			}
			return nil
		})
	}
	for i := sent; i < doubtful; i++ {
		r.produce(person(i, ""))
	}
	awaitRetries(doubtful - sent)
	faults := func(b twiliosim.Behaviour) {
		if err := r.sim.SetFaults(twiliosim.Faults{Behaviour: b}); err != nil {
			t.Fatal(err)
		}
	}
	faults(twiliosim.Behaviour{Outage: twiliosim.Refused})
	for i := doubtful; i < waiting; i++ {
		r.produce(person(i, ""))
	}
	awaitRetries(waiting - sent)
	faults(twiliosim.Behaviour{})
	r.produce(people(sent, "")...)
	r.awaitDone(20 * time.Second)
	w.stop()
	r.change("name: welcome-sms\n", "name: hello-sms\n        formerNames: [welcome-sms]\n")
	w = r.start(shortTiers)
	r.produce(people(sent, "")...) // again
	r.awaitSettled(60 * time.Second)
	r.onceEach(waiting)
	if dead := r.deadLetters(); len(dead) > 0 {
		t.Errorf("%d dead letters, the first because of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
	if got := value(t, w.Registry(), "engage_events_total", map[string]string{"action": "hello-sms", "reason": "duplicate"}); got != sent {
		t.Errorf("%v duplicates, want %d", got, sent)
	}
}

// TestARenamedDestination: what was sent, waits or is in doubt stays the
// destination's, which goes by its former name in Kafka; and when that name
// comes back.
func TestARenamedDestination(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: patient, partitions: 2, sim: twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{AcceptedThen500: 1, ListErrors: 1}}}})
	faults := func(b twiliosim.Behaviour) {
		if err := r.sim.SetFaults(twiliosim.Faults{Behaviour: b}); err != nil {
			t.Fatal(err)
		}
	}
	awaitRetries := func(w *replica, n float64) {
		r.await(40*time.Second, func() error {
			if got := value(t, w.Registry(), "engage_events_total", map[string]string{"outcome": "retry"}); got < n {
				return fmt.Errorf("%v wait", got)
			}
			return nil
		})
	}
	w := r.start()
	const n = 10 // of each
	for i := range n {
		r.produce(person(i, ""))
	}
	awaitRetries(w, n) // in doubt
	w.stop()
	r.change("- name: onboarding\n", "- name: welcome\n    formerNames: [onboarding]\n")
	faults(twiliosim.Behaviour{Outage: twiliosim.Refused})
	for i := n; i < 2*n; i++ {
		r.produce(person(i, ""))
	}
	w = r.start()
	awaitRetries(w, n) // waiting
	w.stop()
	faults(twiliosim.Behaviour{})
	r.change("- name: welcome\n    formerNames: [onboarding]\n", "- name: hello\n    formerNames: [welcome, onboarding]\n")
	w = r.start(shortTiers)
	r.produce(people(n, "")...) // again
	r.awaitSettled(60 * time.Second)
	r.onceEach(2 * n)
	if got := value(t, w.Registry(), "engage_reconciliations_total", map[string]string{"destination": "hello", "result": "sent"}); got != n {
		t.Errorf("%v deliveries were found to be sent, want %d", got, n)
	}
	w.stop()
	r.change("- name: hello\n    formerNames: [welcome, onboarding]\n", "- name: onboarding\n")
	r.start(shortTiers)
	r.produce(people(2*n+1, "")...) // all again, and one more
	r.awaitSettled(60 * time.Second)
	r.onceEach(2*n + 1)
	if dead := r.deadLetters(); len(dead) > 0 {
		t.Errorf("%d dead letters, the first because of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
}
