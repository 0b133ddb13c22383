package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"engage-worker/internal/sim/twiliosim"
)

// TestARefusedKey: while Twilio refuses the key nothing dies and hardly
// anything is asked, /readyz says why, and then all is sent.
func TestARefusedKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		regions: "  us-west-2: {rate: 1000, burst: 1000, maxInFlight: 128}\n",
		sim:     twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{KeyRefused: true, Latency: 20 * time.Millisecond}}},
	})
	w := r.start(shortTiers)
	const n = 600
	r.produce(people(n, "")...)
	r.await(20*time.Second, func() error {
		if value(t, w.Registry(), "engage_account_closed", nil) == 0 {
			return fmt.Errorf("the account isn't closed")
		}
		return nil
	})
	r.await(20*time.Second, func() error { // some probes
		if got := requests(r); got < 3 {
			return fmt.Errorf("%d requests", got)
		}
		return nil
	})
	if got := requests(r); got >= 20 {
		t.Errorf("%d requests with a key that is refused", got)
	}
	if got := r.read(r.cfg.DeadLetterTopic()); len(got) > 0 {
		t.Errorf("%d dead letters", len(got))
	}
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	r.awaitSettled(60 * time.Second)
	r.onceEach(n)
	if got := r.read(r.cfg.DeadLetterTopic()); len(got) > 0 {
		t.Errorf("%d dead letters in the end", len(got))
	}
	if got := strings.Count(r.logs.all(), "Twilio refuses the account or its key"); got != 1 {
		t.Errorf("%d lines say that the account is closed", got)
	}
}

// TestARefusedSender: a wrong sender of one action doesn't stop another's
// messages, and after five refusals its own wait.
func TestARefusedSender(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		partitions: 2,
		delivery:   "  maxUncommitted: 50\n",
		actions: smsAction + strings.NewReplacer("welcome-sms", "mistyped", "MG00000000000000000000000000000001", "\"+15005550007\"",
			`{"@template": "Welcome, {{properties.first_name}}! Yours, {{messageId}}"}`, "Hello").Replace(smsAction),
	})
	w := r.start()
	const n = 300
	r.produce(people(n, "")...)
	r.await(60*time.Second, func() error {
		if got := r.sim.Stats().Accepted; got < n {
			return fmt.Errorf("%d of the %d messages of the sound sender are accepted", got, n)
		}
		return nil
	})
	r.onceEach(n)
	if got := value(t, w.Registry(), "engage_senders_closed", nil); got != 1 {
		t.Errorf("%v senders are closed", got)
	}
	if got := len(r.read(r.cfg.DeadLetterTopic())); got > 4 {
		t.Errorf("%d dead letters of a sender that is refused for everybody", got)
	}
}
