package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/topics"
)

// TestOneGroupTwoTopics: two configurations of one group name and different
// topics, as in a rollout that changes the topic. Each topic is wholly read by
// those that want it, the newcomer begins at its end as configured, and it is
// said that there are two.
func TestOneGroupTwoTopics(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 4})
	cfg := *r.cfg
	other := *r
	other.cfg, other.topic = &cfg, r.topic+"-next"
	cfg.Kafka.Topic, cfg.Kafka.StartOffset = other.topic, "latest"
	if _, err := topics.Ensure(t.Context(), r.client, topics.Of(&cfg), topics.Sizes{Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	first := r.start()
	r.produce(people(20, "")...)
	r.awaitDone(20 * time.Second)

	other.produce(kafka.Message{Key: []byte("old"), Value: []byte("{}")}, people(1, "")[0]) // before the newcomer
	next := []*replica{other.start(), other.start()}
	r.await(30*time.Second, func() error {
		a, b, c := first.Groups()[0].State(), next[0].Groups()[0].State(), next[1].Groups()[0].State()
		if a.Owned != 4 || b.Owned+c.Owned != 3 || b.Owned == 0 || c.Owned == 0 {
			return fmt.Errorf("owned: %d; %d and %d", a.Owned, b.Owned, c.Owned)
		}
		return nil
	})
	for i := 20; i < 40; i++ {
		r.produce(person(i, ""))
		other.produce(person(i+20, ""))
	}
	r.awaitDone(30 * time.Second)
	other.awaitDone(30 * time.Second)
	r.onceEach(60)
	if !r.logs.contains("members of one consumer group read different source topics") {
		t.Error("nobody says that there are two topics")
	}
}
