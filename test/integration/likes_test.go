package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/sim/twiliosim"
)

// alike is an action of a destination: all say the same, from one sender.
func alike(name, trigger string) string {
	return fmt.Sprintf(`      - name: %s
        type: sendSms
        trigger: %s
        mapping:
          from: MG00000000000000000000000000000001
          body: {"@template": "Welcome, {{properties.first_name}}! Yours, {{messageId}}"}
`, name, trigger)
}

// withSecond adds a destination of the same account.
func (r *rig) withSecond(actions string) {
	r.t.Helper()
	r.change("destinations:\n", fmt.Sprintf(`destinations:
  - name: second
    settings:
      twilioAccountSID: AC00000000000000000000000000000001
      twilioApiKeySID: SK00000000000000000000000000000002
      twilioApiKeySecret: secret
      twilioHostname: %s
      spaceId: spa_1
      region: us-west-2
    actions:
%s`, r.vendor.URL(), actions))
	if _, err := topics.Ensure(r.t.Context(), r.client, topics.Of(r.cfg), topics.Sizes{Partitions: 2}); err != nil {
		r.t.Fatal(err)
	}
}

// awaitBoth waits until both destinations have nothing left to do.
func (r *rig) awaitBoth(within time.Duration) {
	r.t.Helper()
	r.await(within, func() error {
		for _, d := range r.cfg.Destinations {
			retries := r.cfg.RetryTopics(d.Name)
			for _, topic := range append([]string{r.topic}, retries[:]...) {
				if got, ends := r.committedBy(d.Name, topic), r.ends(topic); fmt.Sprint(got) != fmt.Sprint(ends) {
					return fmt.Errorf("%s: %s: committed %v, the logs end at %v; accepted %d", d.Name, topic, got, ends, r.sim.Stats().Accepted)
				}
			}
		}
		return nil
	})
}

func (r *rig) committedBy(destination, topic string) map[int]int64 {
	r.t.Helper()
	var partitions []int
	for p := range r.ends(topic) {
		partitions = append(partitions, p)
	}
	res, err := r.client.OffsetFetch(r.t.Context(), &kafka.OffsetFetchRequest{GroupID: r.cfg.GroupID(destination), Topics: map[string][]int{topic: partitions}})
	if err != nil {
		r.t.Fatal(err)
	}
	offsets := map[int]int64{}
	for _, p := range res.Topics[topic] {
		offsets[p.Partition] = p.CommittedOffset
	}
	return offsets
}

// accountFor checks that of each of n events both destinations' messages were
// sent once, or are dead letters because nobody knows, and that nothing counts
// as sent that wasn't. It returns how many nobody knows of.
func (r *rig) accountFor(n int) (unknown int) {
	r.t.Helper()
	accepted, sent, dead := map[string]int{}, map[string]int{}, map[string]int{}
	for _, m := range r.accepted() {
		accepted[messageOf(&m)]++
	}
	sids := map[string]string{}
	for _, d := range r.cfg.Destinations {
		last := map[string]ledger.Entry{}
		for _, m := range r.read(r.cfg.LedgerTopic(d.Name)) {
			if e, err := ledger.ParseEntry(m.Value); err == nil {
				last[string(m.Key)] = e
			}
		}
		for key, e := range last {
			if e.State == ledger.Sent {
				_, id, _ := strings.Cut(key, "\x00")
				sent[id]++
				if other, taken := sids[e.SID]; taken {
					r.t.Errorf("%s counts as that of %s and of %s/%s", e.SID, other, d.Name, id)
				}
				sids[e.SID] = d.Name + "/" + id
			}
		}
	}
	for _, d := range r.deadLetters() {
		if d.Reason != "outcome_unknown" {
			r.t.Errorf("a dead letter because of %s: %s", d.Reason, d.Message)
		}
		dead[d.MessageID]++
		unknown++
	}
	for i := range n {
		id := fmt.Sprintf("m-%06d", i)
		if a, s, d := accepted[id], sent[id], dead[id]; a > 2 || s > a || s+d != 2 {
			r.t.Errorf("%s: %d messages, of which %d count as sent, and %d dead letters; want 2", id, a, s, d)
		}
	}
	return unknown
}

// TestTwoDestinationsSayTheSame: one account, sender, person and text, and
// Twilio doesn't say what it did. Neither takes the other's message for its own.
func TestTwoDestinationsSayTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: patient, partitions: 2, delivery: "  requestTimeout: 4s\n", actions: alike("first", `event = "Audience Entered"`), sim: twiliosim.Options{
		Faults: twiliosim.Faults{Seed: 7, Behaviour: twiliosim.Behaviour{Latency: 20 * time.Millisecond, Jitter: 200 * time.Millisecond, AcceptedThen500: 0.15, Failed: 0.15, Reset: 0.1, AcceptedThenReset: 0.1, ListLag: time.Second}},
	}})
	r.withSecond(alike("second", `event = "Audience Entered"`))
	const n = 80
	r.produce(people(n, "")...)
	r.start(shortTiers)
	r.awaitBoth(90 * time.Second)
	if unknown := r.accountFor(n); unknown > n/2 {
		t.Errorf("of %d nobody knows", unknown)
	}
}

// TestAnothersMessageIsNoCandidate: soon after one destination's message to a
// person another's, with the same text, meets a 503 and isn't sent.
func TestAnothersMessageIsNoCandidate(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: patient, partitions: 2, actions: alike("first", `event = "Audience Entered"`)})
	r.withSecond(alike("second", `event = "Audience Exited"`))
	const n = 30
	w := r.start(shortTiers)
	r.produce(people(n, "")...)
	r.awaitBoth(30 * time.Second)
	if err := r.sim.SetFaults(twiliosim.Faults{Behaviour: twiliosim.Behaviour{Outage: twiliosim.Unavailable}}); err != nil {
		t.Fatal(err)
	}
	again := people(n, "")
	for i := range again {
		again[i].Value = []byte(strings.ReplaceAll(string(again[i].Value), "Entered", "Exited"))
	}
	r.produce(again...)
	failed := map[string]string{"destination": "second", "outcome": "ambiguous"}
	r.await(20*time.Second, func() error {
		if got := value(t, w.Registry(), "engage_request_duration_seconds", failed); got < n {
			return fmt.Errorf("%v requests met a 503", got)
		}
		return nil
	})
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	r.awaitBoth(60 * time.Second)
	if unknown := r.accountFor(n); unknown > 0 {
		t.Errorf("of %d nobody knows", unknown)
	}
	if got := r.sim.Stats().Accepted; got != 2*n {
		t.Errorf("%d messages, want %d", got, 2*n)
	}
}
