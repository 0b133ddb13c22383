package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/preflight"
)

// The recipes of docs/changing.md that aren't tried elsewhere.

// awaitAccepted waits until so many messages are accepted.
func (r *rig) awaitAccepted(n uint64) {
	r.t.Helper()
	r.await(30*time.Second, func() error {
		if got := r.sim.Stats().Accepted; got < n {
			return fmt.Errorf("%d of %d are accepted", got, n)
		}
		return nil
	})
}

// create makes the topics of the present configuration, as topics create does.
func (r *rig) create(partitions int) {
	r.t.Helper()
	if _, err := topics.Ensure(r.t.Context(), r.client, topics.Of(r.cfg), topics.Sizes{Partitions: partitions}); err != nil {
		r.t.Fatal(err)
	}
}

// setOffsets sets the offsets of a group without members in the source.
func (r *rig) setOffsets(group string, offsets map[int]int64) {
	r.t.Helper()
	req := &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{}}
	for partition, offset := range offsets {
		req.Topics[r.topic] = append(req.Topics[r.topic], kafka.OffsetCommit{Partition: partition, Offset: offset})
	}
	r.await(20*time.Second, func() error { // until the group is seen to be empty
		res, err := r.client.OffsetCommit(r.t.Context(), req)
		if err != nil {
			return err
		}
		for _, p := range res.Topics[r.topic] {
			if p.Error != nil {
				return p.Error
			}
		}
		return nil
	})
}

// TestADestinationRenamed: what was done by the drained former group isn't
// done again by the new one, which goes on where that stopped.
func TestADestinationRenamed(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2})
	w := r.start()
	r.produce(people(10, "")...)
	r.awaitSettled(30 * time.Second)
	w.stop()
	for i := 10; i < 20; i++ {
		r.produce(person(i, "")) // while nobody runs
	}
	r.change("- name: onboarding\n", "- name: welcome\n", "delivery:\n", "ledger: {adopt: "+r.cfg.GroupID("onboarding")+"}\ndelivery:\n", "startOffset: earliest", "startOffset: latest")
	r.create(2)
	w = r.start()
	r.awaitAccepted(20)
	w.stop()
	r.change("ledger: {adopt: "+r.topic+".onboarding}\n", "")
	r.start()
	r.produce(person(20, ""))
	r.awaitAccepted(21)
	r.onceEach(21)
}

// TestADestinationSplitInTwo: an action goes to a destination of its own,
// whose group is given the offsets of the first.
func TestADestinationSplitInTwo(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2, actions: smsAction + secondAction})
	w := r.start()
	r.produce(people(10, "")...)
	r.awaitSettled(30 * time.Second)
	w.stop()
	for i := 10; i < 20; i++ {
		r.produce(person(i, "")) // while nobody runs
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	head, destination, _ := strings.Cut(string(text), "destinations:\n")
	own := strings.Replace(destination, "name: onboarding", "name: second", 1)
	r.configure(head + "destinations:\n" + strings.Replace(destination, secondAction, "", 1) + strings.Replace(own, smsAction, "", 1))
	r.create(2)
	r.setOffsets(r.cfg.GroupID("second"), r.committed(r.topic))
	r.start()
	r.awaitAccepted(40)
	r.awaitSettled(30 * time.Second)
	first, second := r.textsOf()
	if fmt.Sprint(first, second) != "map[0:10 1:10] map[0:10 1:10]" {
		t.Errorf("the first action sent to the tens %v, the second to %v", first, second)
	}
}

// TestAnotherTopic: the former is drained, and the new one is read from its
// beginning.
func TestAnotherTopic(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2})
	w := r.start()
	r.produce(people(10, "")...)
	r.awaitSettled(30 * time.Second)
	w.stop()
	was := r.topic
	r.change("  topic: "+was+"\n", "  topic: next-"+was+"\n")
	r.create(2)
	r.topic = r.cfg.Kafka.Topic
	for i := 10; i < 20; i++ {
		r.produce(person(i, ""))
	}
	r.start()
	r.awaitSettled(30 * time.Second)
	r.onceEach(20)
}

// TestASessionTimeoutChangedReplicaByReplica: replicas with a longer and with a
// shorter one are in one group, and shards go from the ones to the others.
func TestASessionTimeoutChangedReplicaByReplica(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: "  us-west-2: {rate: 60, burst: 5, maxInFlight: 32}\n", kafka: "  sessionTimeout: 10s\n"})
	const n = 500
	r.produce(people(n, "")...)
	former := []*replica{r.start(), r.start()}
	r.awaitAccepted(50)
	r.change("sessionTimeout: 10s", "sessionTimeout: 3s")
	for i, w := range former {
		r.start()
		r.awaitAccepted(uint64(100 + 100*i))
		w.stop()
		r.awaitAccepted(uint64(150 + 100*i))
	}
	r.awaitSettled(60 * time.Second)
	r.onceEach(n)
}

// TestOffsetsMovedBack: what an action sent isn't sent again; one that was added
// since texts the people of then, but for those whose events are older than
// delivery.maxEventAge.
func TestOffsetsMovedBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2, delivery: "  maxEventAge: 1h\n"})
	w := r.start()
	for i := range 20 {
		m := person(i, "")
		m.Time = time.Now().Add(-30 * time.Minute)
		if i < 10 {
			m.Time = time.Now().Add(-59*time.Minute - 50*time.Second)
		}
		r.produce(m)
	}
	r.awaitSettled(30 * time.Second)
	w.stop()
	time.Sleep(15 * time.Second) // ten events grow too old: time is what is tested
	r.change(smsAction, smsAction+secondAction)
	r.setOffsets(r.cfg.GroupID("onboarding"), map[int]int64{0: 0, 1: 0})
	said, err := preflight.Backlog(t.Context(), r.client, r.cfg)
	if err != nil || len(said) != 1 || said[0].Status != preflight.StatusWarning ||
		said[0].What != "onboarding: 20 events that its group hasn't read (10 deliveries are sent already, 20 too old)" ||
		!strings.HasPrefix(said[0].Problem, "would text, for events since ") || !strings.HasSuffix(said[0].Problem, ": second-sms up to 10 people") {
		t.Errorf("what run says: %+v, %v", said, err)
	}
	w = r.start()
	r.awaitSettled(30 * time.Second)
	first, second := r.textsOf()
	if fmt.Sprint(first, second) != "map[0:10 1:10] map[1:10]" {
		t.Errorf("the first action sent to the tens %v, the second to %v", first, second)
	}
	said, err = preflight.Backlog(t.Context(), r.client, r.cfg)
	if err != nil || len(said) != 1 || said[0].Status != preflight.StatusOK || said[0].What != "onboarding: 0 events that its group hasn't read" {
		t.Errorf("once all is read: %+v, %v", said, err)
	}
	if got := value(t, w.Registry(), "engage_events_total", map[string]string{"action": "welcome-sms", "outcome": "already_sent"}); got != 20 {
		t.Errorf("%v count as sent already, want 20", got)
	}
	for _, d := range r.deadLetters() {
		if d.Action != "second-sms" || d.Reason != "expired" {
			t.Errorf("a dead letter of %s because of %s", d.Action, d.Reason)
		}
	}
}
