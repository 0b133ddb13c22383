package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/sim/twiliosim"
)

// TestLateAcceptance: a request whose connection was cut may still arrive,
// long after the list's usual lag; until then its silence says nothing.
func TestLateAcceptance(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		delivery: "  requestTimeout: 3s\n",
		regions:  "  us-west-2: {rate: 1000, burst: 100, maxInFlight: 64, breaker: {failureRatio: 1, minRequests: 1000}}\n",
		sim:      twiliosim.Options{Faults: twiliosim.Faults{Seed: 3, Behaviour: twiliosim.Behaviour{Late: 1, LateFor: 7 * time.Second}}},
	})
	r.produce(people(20, "")...)
	r.start(shortTiers)
	r.await(30*time.Second, func() error {
		if n := r.sim.Stats().Received; n < 20 {
			return fmt.Errorf("%d received", n)
		}
		return nil
	})
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	r.awaitSettled(60 * time.Second)
	r.onceEach(20)
}

// TestAbsurdMessageID: an id that no ledger record could hold costs nobody
// anything.
func TestAbsurdMessageID(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	absurd := person(0, "")
	id := strings.Repeat("x", 1_500_000)
	absurd.Value = []byte(strings.Replace(string(absurd.Value), "m-000000", id, 1))
	w := &kafka.Writer{Addr: r.client.Addr, Transport: r.client.Transport, Topic: r.topic, RequiredAcks: kafka.RequireAll, Compression: kafka.Zstd, BatchBytes: 4 << 20, BatchTimeout: time.Millisecond}
	defer w.Close()
	if err := w.WriteMessages(t.Context(), absurd, person(1, ""), person(2, "")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.awaitDone(30 * time.Second)
	if got := len(r.accepted()); got != 2 { // the body that holds the id is too long for a template
		t.Errorf("%d messages", got)
	}
	if dead := r.deadLetters(); len(dead) != 1 || dead[0].Reason != "template_failed" {
		t.Errorf("dead letters: %d, of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
}

// TestUnwritableLedger: a shard whose ledger can't be written keeps its
// events, and no other shard's.
func TestUnwritableLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: "  us-west-2: {rate: 1000, burst: 100, maxInFlight: 8}\n"})
	if r.broker == nil {
		t.Skip("the fault is injected into the embedded broker")
	}
	fault := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: r.cfg.LedgerTopic("onboarding"), Partitions: []int32{0}, Err: kerr.NotEnoughReplicas, Count: -1})
	const n = 300
	r.produce(people(n, "")...)
	held := int(r.ends(r.topic)[0])
	r.start()
	r.await(40*time.Second, func() error {
		if got := len(r.accepted()); got != n-held {
			return fmt.Errorf("%d sent of the %d whose ledger can be written", got, n-held)
		}
		return nil
	})
	fault.Remove()
	r.awaitSettled(60 * time.Second)
	r.onceEach(n)
}

// TestUnreadableLedger: a shard whose ledger can't be read waits, and no other
// shard.
func TestUnreadableLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	if r.broker == nil {
		t.Skip("the fault is injected into the embedded broker")
	}
	fault := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: r.cfg.LedgerTopic("onboarding"), Partitions: []int32{0}, Err: kerr.LeaderNotAvailable, Count: -1})
	const n = 100
	r.produce(people(n, "")...)
	held := int(r.ends(r.topic)[0])
	r.start()
	r.await(20*time.Second, func() error {
		if got := len(r.accepted()); got != n-held {
			return fmt.Errorf("%d sent of the %d whose ledger can be read", got, n-held)
		}
		return nil
	})
	fault.Remove()
	r.awaitSettled(30 * time.Second)
	r.onceEach(n)
}

// TestHandover: a replica that is stopped leaves at once, and another serves
// its shards within 2 s.
func TestHandover(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	first := r.start()
	r.produce(person(0, ""))
	r.awaitDone(20 * time.Second)
	second := r.start()
	r.await(30*time.Second, func() error {
		if a, b := first.Groups()[0].State(), second.Groups()[0].State(); a.Owned != 3 || b.Owned != 3 {
			return fmt.Errorf("owned: %d and %d", a.Owned, b.Owned)
		}
		return nil
	})
	first.stop()
	stopped := time.Now()
	r.await(30*time.Second, func() error {
		if s := second.Groups()[0].State(); s.Owned != 6 {
			return fmt.Errorf("the other replica owns %d shards", s.Owned)
		}
		return nil
	})
	t.Logf("handed over %v after the stop", time.Since(stopped))
	for i := 1; i < 30; i++ {
		r.produce(person(i, ""))
	}
	r.awaitSettled(20 * time.Second)
	r.onceEach(30)
}

// TestRecordsGoneWhileHeld: the source's retention takes a record away that
// is held. Its dead letter is written from what was read.
func TestRecordsGoneWhileHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	if r.broker == nil {
		t.Skip("the fault is injected into the embedded broker")
	}
	fault := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: r.cfg.DeadLetterTopic(), Err: kerr.NotEnoughReplicas, Count: -1})
	// Nobody can tell whether their keys and the header are null or empty, but by reading them again.
	r.produce(kafka.Message{Value: []byte("no json")}, kafka.Message{Value: []byte("none either"), Headers: []kafka.Header{{Key: "h"}}})
	lost := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: r.topic, Err: kerr.LeaderNotAvailable, Count: -1, When: func(req kmsg.Request) bool {
		return req.(*kmsg.FetchRequest).MaxBytes == 1 // the reading again
	}})
	r.start()
	r.await(20*time.Second, func() error {
		if !r.logs.contains("it is held until it can") {
			return fmt.Errorf("the log doesn't say that an event is held")
		}
		return nil
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = 2
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = r.topic, append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	lost.Remove()
	fault.Remove()
	r.awaitDone(30 * time.Second)
	if dead := r.deadLetters(); len(dead) != 2 || dead[0].Reason != "malformed_event" {
		t.Errorf("dead letters: %+v", dead)
	}
}

// TestSlowIntake: an answer of the broker may take longer to be taken in than
// a connection's patience; reading isn't interrupted by that.
func TestSlowIntake(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		partitions: 1,
		delivery:   "  maxUncommitted: 10\n",
		regions:    "  us-west-2: {rate: 40, burst: 10, maxInFlight: 64}\n",
	})
	const n = 600 // 15 s
	r.produce(people(n, "")...)
	r.start()
	r.awaitDone(40 * time.Second)
	r.onceEach(n)
	if all := r.logs.all(); strings.Contains(all, "reading is interrupted") {
		t.Error("reading was interrupted")
	}
}
