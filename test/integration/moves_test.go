package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	testkafka "engage-worker/test/kafka"
)

// TestMoves: leaders and the coordinator move about under load, and nothing
// is lost or sent twice.
func TestMoves(t *testing.T) {
	t.Parallel()
	if onKafka() {
		t.Skip("leaders are moved on the embedded broker")
	}
	r := newRig(t, settings{
		broker:  []kfake.Opt{kfake.NumBrokers(3)},
		regions: "  us-west-2: {rate: 150, burst: 20, maxInFlight: 32}\n",
		kafka:   "  sessionTimeout: 6s\n",
	})
	r.start()
	r.start()
	const n = 1000
	r.produce(people(n, "")...)
	moves := 0
	r.await(120*time.Second, func() error {
		got := r.sim.Stats().Accepted
		if got >= n {
			return nil
		}
		switch moves++; moves % 50 { // await looks every 20 ms
		case 10, 30:
			r.broker.ShufflePartitionLeaders()
		case 40:
			if moves < 300 { // each costs a rebalance
				r.broker.RehashCoordinators()
			}
		}
		return fmt.Errorf("%d of %d accepted", got, n)
	})
	r.awaitSettled(30 * time.Second)
	r.onceEach(n)
	if dead := r.deadLetters(); len(dead) > 0 {
		t.Errorf("%d dead letters, the first because of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
}

// TestBrokerRestart: the broker is killed and comes back.
func TestBrokerRestart(t *testing.T) {
	if !onKafka() {
		t.Skip("the embedded broker can't be killed; Apache Kafka can")
	}
	own := testkafka.Start(t, testkafka.Options{})
	if len(own.Nodes) == 0 {
		t.Skip("needs a broker that it may kill, which neither somebody else's nor the embedded broker is")
	}
	r := newRig(t, settings{brokers: own.Brokers(), regions: "  us-west-2: {rate: 100, burst: 20, maxInFlight: 32}\n"})
	r.start()
	const n = 2000
	r.produce(people(n, "")...)
	accepted := func(n uint64) {
		r.await(120*time.Second, func() error {
			if got := r.sim.Stats().Accepted; got < n {
				return fmt.Errorf("%d of %d accepted", got, n)
			}
			return nil
		})
	}
	accepted(300)
	if err := own.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // it is away: time is what is tested
	if err := own.Nodes[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	accepted(n)
	r.awaitDone(60 * time.Second)
	r.onceEach(n)
}

// TestSecured: TLS, logins with SCRAM and with PLAIN, and a refused one.
func TestSecured(t *testing.T) {
	if !onKafka() {
		t.Skip("the embedded broker has no listener with both; internal/kafka/connect tests each")
	}
	own := testkafka.Start(t, testkafka.Options{Secured: true})
	tls := "  tls: {enabled: true, caFile: " + own.CAFile() + "}\n"
	for mechanism, brokers := range map[string][]string{"plain": own.SASLBrokers(), "scram-sha-256": own.SASLTLSBrokers(), "scram-sha-512": own.SASLTLSBrokers()} {
		t.Run(mechanism, func(t *testing.T) {
			security := fmt.Sprintf("  sasl: {mechanism: %s, username: %s, password: %s}\n", mechanism, testkafka.Username, testkafka.Password)
			if mechanism != "plain" {
				security += tls
			}
			r := newRig(t, settings{brokers: brokers, kafka: security, partitions: 2})
			r.start()
			r.produce(people(20, "")...)
			r.produce(kafka.Message{Value: []byte("no json")})
			r.awaitDone(30 * time.Second)
			r.onceEach(20)
			if dead := r.deadLetters(); len(dead) != 1 {
				t.Errorf("%d dead letters", len(dead))
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		r := newRig(t, settings{brokers: own.SASLBrokers(), kafka: fmt.Sprintf("  sasl: {mechanism: plain, username: %s, password: %s}\n", testkafka.Username, testkafka.Password), partitions: 1})
		r.cfg.Kafka.SASL.Password = "wrong"
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		err := runWorker(ctx, r)
		if err == nil || !strings.Contains(err.Error(), "password") || time.Since(start) > 15*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// TestTopicsMadeAnewWhileTheGroupRebalances: shards that weren't there to be
// assigned are assigned once they are.
func TestTopicsMadeAnewWhileTheGroupRebalances(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 3})
	first := r.start()
	r.produce(people(10, "")...)
	r.awaitDone(20 * time.Second)
	tier := r.cfg.RetryTopics("onboarding")[1]
	second := r.start()
	r.await(20*time.Second, func() error {
		if a, b := first.Groups()[0].State(), second.Groups()[0].State(); a.Owned == 0 || b.Owned == 0 {
			return fmt.Errorf("owned: %d and %d", a.Owned, b.Owned)
		}
		return nil
	})
	if res, err := r.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{tier}}); err != nil || res.Errors[tier] != nil {
		t.Fatal(res, err)
	}
	r.await(30*time.Second, func() error { // a broker deletes behind its answer
		meta, err := r.client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{tier}})
		if err == nil && (len(meta.Topics) == 0 || meta.Topics[0].Error == nil) {
			return fmt.Errorf("%s is still there", tier)
		}
		return err
	})
	second.stop()
	r.await(30*time.Second, func() error {
		if n := first.Groups()[0].State(); !n.Joined || n.Owned != 0 {
			return fmt.Errorf("%+v", n)
		}
		return nil
	})
	if res, err := r.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: tier, NumPartitions: 3, ReplicationFactor: 1}}}); err != nil || res.Errors[tier] != nil {
		t.Fatal(res, err)
	}
	for i := 10; i < 30; i++ {
		r.produce(person(i, ""))
	}
	r.awaitDone(30 * time.Second)
	r.onceEach(30)
}
