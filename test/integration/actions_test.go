package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"engage-worker/internal/sim/twiliosim"
)

// TestManyActions: an event's deliveries go side by side, those of its key's
// next event after all of them; a replica that ends in between loses and
// doubles none, and the offset isn't committed before the last.
func TestManyActions(t *testing.T) {
	t.Parallel()
	const many, events = 24, 6
	var actions strings.Builder
	for i := range many {
		fmt.Fprintf(&actions, `      - name: action-%02d
        type: sendSms
        mapping:
          from: MG00000000000000000000000000000001
          body: {"@template": "Number %02d, {{properties.first_name}}! Yours, {{messageId}}"}
`, i, i)
	}
	r := newRig(t, settings{partitions: 1, actions: actions.String(), sim: twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Latency: 200 * time.Millisecond}}}})
	for i := range events {
		m := person(i, "")
		m.Key = []byte("one key")
		r.produce(m)
	}
	first := r.start()
	r.await(20*time.Second, func() error {
		if got := r.sim.Stats().Accepted; got < many+many/2 {
			return fmt.Errorf("%d accepted", got)
		}
		return nil
	})
	first.stop()
	if done, sent := r.committed(r.topic)[0], r.sim.Stats().Accepted; done*many > int64(sent) {
		t.Errorf("%d events are committed after %d messages, want %d for each", done, sent, many)
	}
	r.start()
	r.awaitSettled(60 * time.Second)
	messages := r.accepted()
	if len(messages) != many*events {
		t.Fatalf("%d messages, want %d", len(messages), many*events)
	}
	got := map[string]int{}
	for i, m := range messages {
		got[m.Value("Body")]++
		if want := fmt.Sprintf("m-%06d", i/many); messageOf(&m) != want {
			t.Errorf("message %d is of event %s, want %s", i, messageOf(&m), want)
		}
	}
	if len(got) != many*events {
		t.Errorf("%d different messages, want %d", len(got), many*events)
	}
}
