package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"engage-worker/consumer"
)

// TestStoppedWhileRendering: a worker that is stopped amid renderings which all
// take what they may ends in time, buries nothing for that, and commits only what
// is buried already. Whoever goes on buries the rest, once each.
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
	const n, most = 120, 5 * time.Second
	long := `,"name":"` + strings.Repeat(" ", 50_000) + `","items":[` + strings.TrimSuffix(strings.Repeat("0,", 20_000), ",") + "]"
	r.produce(people(n, long)...)
	short := func(c *consumer.Config) { c.ShutdownTimeout = most }
	w := r.start(short)
	r.await(60*time.Second, func() error {
		if got := value(t, w.Registry(), "engage_dead_letters_total", nil); got == 0 {
			return fmt.Errorf("nothing is rendered to its end")
		}
		return nil
	})
	began := time.Now()
	w.stop()
	// Leaving the group and closing its connections comes on top of what the drain may take.
	if took := time.Since(began); took > most+most/2 {
		t.Errorf("it stopped after %v of %v", took, most)
	}
	buried := map[string]int{}
	for _, d := range r.deadLetters() {
		buried[fmt.Sprint(d.Partition, "/", d.Offset)]++
	}
	if len(buried) == n {
		t.Log("all were rendered before the worker was stopped") // a fast machine
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
