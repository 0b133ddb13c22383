package topics_test

import (
	"testing"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/topics"
)

func TestLeftovers(t *testing.T) {
	b := broker(t)
	cfg := settings(b)
	cfg.Kafka.DeadLetter = "graveyard"
	all := []string{"events", "events.dlq", "events.onboarding.retry.5m", "events.winback.retry.5m", "events.winback.retry.30m", "events.eu.dlq", "events.eu.a.retry.5m", "eventsx.a.retry.5m", "events.winback.other"}
	for _, topic := range all {
		if err := b.CreateTopic(topic, 2, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t, cfg.Kafka)
	for _, topic := range all {
		for partition := range 2 {
			if topic == "events.winback.retry.30m" {
				continue // stays empty
			}
			if _, err := c.Produce(brief(t), &kafka.ProduceRequest{Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
				Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))}, kafka.Record{Value: kafka.NewBytes([]byte("y"))})}); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := topics.Leftovers(brief(t), c, topics.Of(cfg))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, found, []topics.Problem{
		{Topic: "events.dlq", Message: "up to 4 records that this configuration doesn't read", WayOut: "set kafka.deadLetterTopic to it to look at them, or delete the topic"},
		{Topic: "events.winback.retry.5m", Message: "up to 4 records that this configuration doesn't read",
			WayOut: "configure the destination winback again until they are read, or delete the topic: its deliveries are lost then"},
	})
}
