package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"engage-worker/consumer"
)

// TestStoppedWhileRendering: a worker that is stopped amid renderings which all
// take what they may doesn't wait for them, buries nothing for that, and commits only
// what is buried already. Whoever goes on buries the rest, once each.
func TestStoppedWhileRendering(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		partitions: 2,
		actions: `      - name: costly
        type: sendSms
        mapping:
          from: MG00000000000000000000000000000001
          body: "{% for a in profile.traits.items %}{% for b in profile.traits.items %}{% if profile.traits.name == blank %}{% endif %}{% endfor %}{% endfor %}"
`,
	})
	const n, most = 120, 200 * time.Millisecond // all of one key, one after the other: nothing renders them all in that time
	long := `,"name":"` + strings.Repeat(" ", 50_000) + `","items":[` + strings.TrimSuffix(strings.Repeat("0,", 20_000), ",") + "]"
	events := people(n, long)
	for i := range events {
		events[i].Key = events[0].Key
	}
	r.produce(events...)
	short := func(c *consumer.Config) { c.ShutdownTimeout = most }
	w := r.start(short)
	r.await(60*time.Second, func() error {
		if got := value(t, w.Registry(), "engage_dead_letters_total", nil); got == 0 {
			return fmt.Errorf("nothing is rendered to its end")
		}
		return nil
	})
	w.stop()
	buried := map[string]int{}
	for _, d := range r.deadLetters() {
		buried[fmt.Sprint(d.Partition, "/", d.Offset)]++
	}
	if len(buried) == n {
		t.Error("it waited for all renderings")
	}
	for partition, offset := range r.committed(r.topic) {
		for below := range max(0, offset) {
			if buried[fmt.Sprint(partition, "/", below)] == 0 {
				t.Errorf("offset %d of partition %d is committed to %d and isn't buried", below, partition, offset)
			}
		}
	}
	r.start()
	r.awaitDone(120 * time.Second)
	buried = map[string]int{}
	for _, d := range r.deadLetters() {
		buried[d.MessageID]++
		if d.Reason != "template_failed" {
			t.Errorf("%s: %s", d.Reason, d.Message)
		}
	}
	for id, times := range buried {
		if times > 1 {
			t.Errorf("%s is buried %d times", id, times)
		}
	}
	if len(buried) != n {
		t.Errorf("%d of %d events are buried", len(buried), n)
	}
}
