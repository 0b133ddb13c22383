package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/consumer"
	"engage-worker/internal/sim/twiliosim"
)

// TestAmbiguousRequests: what Twilio took and then failed to say is found in
// its list, though the list lags; what it didn't take is sent again.
func TestAmbiguousRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		delivery: "  requestTimeout: 3s\n  attempts: 10\n",
		regions:  "  us-west-2: {rate: 1000, burst: 100, maxInFlight: 64, breaker: {failureRatio: 0.9, minRequests: 200}}\n",
		sim: twiliosim.Options{ClockOffset: 7 * time.Second, Faults: twiliosim.Faults{Seed: 1, Behaviour: twiliosim.Behaviour{
			AcceptedThen500: 0.06, AcceptedThenReset: 0.06, AcceptedThenSilence: 0.02, Garbled: 0.04,
			Failed: 0.04, Unavailable: 0.02, Reset: 0.04, Throttled: 0.05, ListLag: 2 * time.Second, ListErrors: 0.1,
		}}},
	})
	r.produce(people(500, "")...)
	w := r.start(shortTiers)
	r.awaitSettled(120 * time.Second)
	r.onceEach(500)
	if dead := r.deadLetters(); len(dead) > 0 {
		t.Errorf("%d dead letters, the first because of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
	for _, result := range []string{"sent", "not_sent"} {
		if n := value(t, w.Registry(), "engage_reconciliations_total", map[string]string{"result": result}); n < 10 {
			t.Errorf("%v deliveries were reconciled as %s; the faults should have made more", n, result)
		}
	}
}

// TestOutage: nothing is lost and nothing dies while the vendor is away, and
// only a few requests ask whether it is back.
func TestOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		regions: "  us-west-2: {rate: 1000, burst: 100, maxInFlight: 16, breaker: {failureRatio: 0.5, minRequests: 10, openFor: 2s, halfOpenRequests: 2}}\n",
	})
	w := r.start(shortTiers)
	r.produce(people(200, "")...)
	r.await(20*time.Second, func() error {
		if n := r.sim.Stats().Accepted; n < 50 {
			return fmt.Errorf("only %d accepted", n)
		}
		return nil
	})
	if err := r.sim.SetFaults(twiliosim.Faults{Behaviour: twiliosim.Behaviour{Outage: twiliosim.Unavailable}}); err != nil {
		t.Fatal(err)
	}
	before, away := requests(r), time.Now()
	for i := 200; i < 600; i++ {
		r.produce(person(i, ""))
	}
	r.await(30*time.Second, func() error {
		if value(t, w.Registry(), "engage_breaker_state", nil) == 0 {
			return fmt.Errorf("the breaker hasn't opened")
		}
		return nil
	})
	time.Sleep(8 * time.Second) // the outage itself: time is what is tested
	// Those in flight when it began, and the probes: two each two seconds.
	if n, most := requests(r)-before, uint64(45+2*time.Since(away).Seconds()); n > most {
		t.Errorf("%d requests were made while the vendor was away, want at most %d", n, most)
	}
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	r.awaitSettled(60 * time.Second)
	r.onceEach(600)
	if dead := r.deadLetters(); len(dead) > 0 {
		t.Errorf("%d dead letters, the first because of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
}

// TestOneRegionDown: the other region's messages go on within seconds, and the
// unavailable one's are sent once it is back, by way of the retry topic.
func TestOneRegionDown(t *testing.T) {
	t.Parallel()
	breaker := "breaker: {failureRatio: 0.5, minRequests: 5, openFor: 1s, halfOpenRequests: 2}"
	r := newRig(t, settings{
		regions: "  us-west-2: {rate: 1000, burst: 100, maxInFlight: 16, " + breaker + "}\n  eu-west-1: {rate: 1000, burst: 100, maxInFlight: 16, " + breaker + "}\n",
		actions: `      - name: welcome-sms
        type: sendSms
        mapping:
          from: {"@path": "$.properties.sender"}
          body: {"@template": "Welcome! Yours, {{messageId}}"}
          region: {"@path": "$.properties.region"}
`,
		sim: twiliosim.Options{Faults: twiliosim.Faults{Scopes: []twiliosim.Scope{{Senders: []string{"+1500555"}, Behaviour: twiliosim.Behaviour{Outage: twiliosim.Unavailable}}}}},
	})
	const n = 400
	var messages []kafka.Message
	for i := range n {
		sender, region := "+15005550006", "us-west-2"
		if i%2 == 1 {
			sender, region = "+442071838750", "eu-west-1"
		}
		messages = append(messages, person(i, fmt.Sprintf(`,"region":%q,"sender":%q`, region, sender)))
	}
	short := func(c *consumer.Config) { c.Topics.Retry[0].Delay = 2 * time.Second }
	r.start(short)
	r.produce(messages...)
	r.await(20*time.Second, func() error {
		if got := len(r.accepted()); got != n/2 {
			return fmt.Errorf("%d of the %d messages of the region that is up were sent", got, n/2)
		}
		return nil
	})
	r.awaitDone(30 * time.Second) // the source doesn't wait for the region that is down
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	r.await(60*time.Second, func() error {
		if got := len(r.accepted()); got < n {
			return fmt.Errorf("%d of %d messages were sent", got, n)
		}
		return nil
	})
	r.onceEach(n)
	if dead := r.deadLetters(); len(dead) > 0 {
		t.Errorf("%d dead letters, the first because of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
}

// TestRetryTiers: what never works goes through every tier and ends as a dead
// letter that tells how often it was tried.
func TestRetryTiers(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		delivery: "  attempts: 2\n",
		regions:  "  us-west-2: {rate: 1000, burst: 100, maxInFlight: 16, breaker: {failureRatio: 1, minRequests: 1000}}\n",
		sim:      twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Outage: twiliosim.Refused}}}, // nothing is ever written
	})
	r.produce(people(20, "")...)
	r.start(func(c *consumer.Config) {
		for i := range c.Topics.Retry {
			c.Topics.Retry[i].Delay = time.Duration(i+1) * 300 * time.Millisecond
		}
	})
	r.await(60*time.Second, func() error {
		if n := len(r.deadLetters()); n < 20 {
			return fmt.Errorf("%d dead letters", n)
		}
		return nil
	})
	for _, d := range r.deadLetters() {
		if d.Reason != "twilio_unavailable" || d.Disposition != "exhausted" || d.DeliveryCount != 8 || d.Topic != r.topic || d.Action != "welcome-sms" || d.Region != "us-west-2" ||
			d.FirstFailedAt.IsZero() || !d.LastFailedAt.After(d.FirstFailedAt) || len(d.Headers) != 0 {
			t.Fatalf("dead letter %+v", d)
		}
	}
	for i, topic := range r.cfg.RetryTopics("onboarding") {
		if n := sum64(r.ends(topic)); n != 20 {
			t.Errorf("tier %d took %d records, want 20", i+1, n)
		}
	}
}

// TestRetriesSpentOnFailures: what Twilio fails at each time, and surely didn't
// send, dies because it is unavailable: nothing is unknown about that.
func TestRetriesSpentOnFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		delivery: "  attempts: 1\n",
		regions:  "  us-west-2: {rate: 1000, burst: 100, maxInFlight: 16, breaker: {failureRatio: 1, minRequests: 1000}}\n",
		sim:      twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Failed: 1}}},
	})
	r.produce(people(3, "")...)
	r.start(shortTiers)
	r.await(60*time.Second, func() error {
		if n := len(r.deadLetters()); n < 3 {
			return fmt.Errorf("%d dead letters", n)
		}
		return nil
	})
	for _, d := range r.deadLetters() {
		if d.Reason != "twilio_unavailable" || d.Disposition != "exhausted" || d.DeliveryCount != 4 || d.TwilioStatus != 500 {
			t.Errorf("dead letter: %s, %s after %d attempts, status %d", d.Reason, d.Disposition, d.DeliveryCount, d.TwilioStatus)
		}
	}
}

func sum64(m map[int]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

// TestUnwritableDeadLetterTopic: an event whose dead letter can't be written
// stays open, and the log says so.
func TestUnwritableDeadLetterTopic(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	if r.broker == nil {
		t.Skip("the fault is injected into the embedded broker")
	}
	fault := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: r.cfg.DeadLetterTopic(), Err: kerr.NotEnoughReplicas, Count: -1})
	r.produce(kafka.Message{Key: []byte("k"), Value: []byte("no json"), Partition: 0}, person(1, ""))
	r.start()
	r.await(20*time.Second, func() error {
		if len(r.accepted()) != 1 {
			return fmt.Errorf("%d sent; the other event has to go on", len(r.accepted()))
		}
		if !r.logs.contains("it is held until it can") {
			return fmt.Errorf("the log doesn't say that an event is held")
		}
		return nil
	})
	if got, end := sum64(r.committed(r.topic)), sum64(r.ends(r.topic)); got >= end {
		t.Errorf("all %d offsets are committed, though a dead letter isn't written", end)
	}
	fault.Remove()
	r.awaitDone(30 * time.Second)
	if dead := r.deadLetters(); len(dead) != 1 || dead[0].Reason != "malformed_event" || string(dead[0].Value) != "no json" {
		t.Errorf("dead letters: %+v", dead)
	}
}

// requests are all that reached the vendor.
func requests(r *rig) uint64 {
	s := r.sim.Stats()
	return s.Received + s.Lists
}
