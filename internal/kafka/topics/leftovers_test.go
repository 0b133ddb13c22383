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
	all := []string{"events", "events.dlq", "events.onboarding.retry.5m", "events.winback.retry.5m", "events.winback.retry.30m", "events.eu.dlq", "events.eu.a.retry.5m", "eventsx.a.retry.5m", "events.winback.other",
		"former", "former.dlq", "former.onboarding.retry.30s", "former.onboarding.retry.5m", "former.other.retry.5m", "read"}
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
	commit := func(group string, offsets map[string][]kafka.OffsetCommit) {
		t.Helper()
		if _, err := c.OffsetCommit(brief(t), &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: offsets}); err != nil {
			t.Fatal(err)
		}
	}
	whole := []kafka.OffsetCommit{{Partition: 0, Offset: 2}, {Partition: 1, Offset: 2}}
	commit("engage-worker.onboarding", map[string][]kafka.OffsetCommit{
		"former": {{Partition: 0, Offset: 1}, {Partition: 1, Offset: 2}}, "former.onboarding.retry.30s": {{Partition: 1, Offset: 1}}, "former.onboarding.retry.5m": whole, "read": whole, "events": whole,
	})
	commit("engage-worker.winback", map[string][]kafka.OffsetCommit{"events.winback.retry.5m": {{Partition: 0, Offset: 2}}})
	found, err := topics.Leftovers(brief(t), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	const renamed = "set kafka.topic to former again until they are read, unless another configuration reads them; or delete the topic or the group's offsets there: what it holds isn't sent then"
	equal(t, found, []topics.Problem{
		{Topic: "events.dlq", Message: "up to 4 records that this configuration doesn't read", WayOut: "set kafka.deadLetterTopic to it to look at them, or delete the topic"},
		{Topic: "events.winback.retry.5m", Message: "2 records that the group engage-worker.winback hasn't read, and that this configuration doesn't",
			WayOut: "configure the destination winback again until they are read, or delete the topic: its deliveries are lost then"},
		{Topic: "former", Message: "1 records that the group engage-worker.onboarding hasn't read, and that this configuration doesn't", WayOut: renamed},
		{Topic: "former.dlq", Message: "up to 4 records that this configuration doesn't read", WayOut: "set kafka.deadLetterTopic to it to look at them, or delete the topic"},
		{Topic: "former.onboarding.retry.30s", Message: "3 records that the group engage-worker.onboarding hasn't read, and that this configuration doesn't", WayOut: renamed},
	})
}
