package connect_test

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"engage-worker/internal/config"
)

// TestALeaderMoves: what is written to a partition's former leader is refused once at most,
// as the pool then learns who leads.
func TestALeaderMoves(t *testing.T) {
	b := broker(t, kfake.NumBrokers(3), kfake.SeedTopics(1, "events"))
	c := client(t, config.Kafka{Brokers: b.Brokers()})
	w := &kafka.Writer{Addr: c.Addr, Transport: c.Transport, Topic: "events", MaxAttempts: 1, BatchTimeout: time.Millisecond, RequiredAcks: kafka.RequireAll}
	defer w.Close()
	write := func() error { return w.WriteMessages(brief(t), kafka.Message{Value: []byte("{}")}) }
	move := func(to int32) {
		t.Helper()
		if err := b.MoveTopicPartition("events", 0, to); err != nil {
			t.Fatal(err)
		}
	}
	move(0)
	for time.Sleep(time.Second); write() != nil; { // the pool may have looked before
		time.Sleep(time.Second)
	}
	for _, to := range []int32{1, 2, 0} {
		time.Sleep(time.Second) // it looks no more often
		move(to)
		if write() == nil {
			continue // it has just looked by itself
		}
		if err := write(); err != nil {
			t.Errorf("after a refusal: %v", err)
		}
	}
}

// TestATopicMadeLater: a topic that another client has made since the pool looked is
// known when it is written.
func TestATopicMadeLater(t *testing.T) {
	b := broker(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))
	c, other := client(t, config.Kafka{Brokers: b.Brokers()}), client(t, config.Kafka{Brokers: b.Brokers()})
	write := func(topic string) error {
		w := &kafka.Writer{Addr: c.Addr, Transport: c.Transport, Topic: topic, MaxAttempts: 1, BatchTimeout: time.Millisecond, RequiredAcks: kafka.RequireAll}
		defer w.Close()
		return w.WriteMessages(brief(t), kafka.Message{Value: []byte("{}")})
	}
	if err := write("events"); err != nil {
		t.Fatal(err)
	}
	made, err := other.CreateTopics(brief(t), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "later", NumPartitions: 1, ReplicationFactor: 1}}})
	if err != nil || made.Errors["later"] != nil {
		t.Fatal(err, made)
	}
	if err := write("later"); err != nil {
		t.Error(err)
	}
}
