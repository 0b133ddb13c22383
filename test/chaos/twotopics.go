package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/pause"
	"engage-worker/test/chaos/evidence"
)

const (
	otherTopic  = "staging"
	otherEvents = 300
	twoSaid     = "members of one consumer group read different source topics" // the log's warning
)

// twoTopics has replicas with another kafka.topic join the group, and kills of
// both kinds. The texts of the other topic's messages begin as secondAction's do.
func twoTopics(r *run) {
	file := r.configureOther()
	start := func(n int) *replica {
		name := fmt.Sprintf("other-%d", n)
		r.note("start %s, which wants the other topic", name)
		w, err := startReplica(r.program, file, r.dir, name)
		must(err)
		r.mu.Lock()
		r.all = append(r.all, w)
		r.mu.Unlock()
		return w
	}
	other := start(1)
	produced := make(chan error, 1)
	go func() { produced <- r.produceOther(r.ctx) }()
	r.pause(5 * time.Second)
	r.replace(5 * time.Second)
	r.note("kill -9 %s, of the other topic", other.name)
	other.kill()
	r.kills++
	other = start(2)
	r.pause(5 * time.Second)
	r.replace(0)
	must(<-produced)
	r.await(time.Minute, "the other topic read", func(ctx context.Context) error { return r.doneWith(ctx, destination, otherTopic) })
	must(other.stop(stopTimeout))
}

// configureOther writes the configuration with the other topic, and makes its topics.
func (r *run) configureOther() (file string) {
	changed := strings.NewReplacer("topic: "+r.topic+"\n", "topic: "+otherTopic+"\n", "Welcome! Yours", secondText+". Yours").Replace(r.configuration())
	file = filepath.Join(r.dir, "other.yaml")
	must(os.WriteFile(file, []byte(changed), 0o600))
	cfg, err := config.Load(file)
	must(err)
	_, err = topics.Ensure(r.ctx, r.broker.client, topics.Of(cfg), topics.Sizes{Partitions: r.width})
	must(err)
	return file
}

// otherRef is the ref of the n-th event of the other topic.
func otherRef(n int) string { return fmt.Sprintf("p-9%05d", n) }

// produceOther writes the other topic's events.
func (r *run) produceOther(ctx context.Context) error {
	writer := acked.NewWriter(r.broker.client.Addr, r.broker.client.Transport, "")
	defer writer.Close()
	for n := range otherEvents {
		m := kafka.Message{Topic: otherTopic, Key: fmt.Appendf(nil, "other-%d", n), Value: fmt.Appendf(nil,
			`{"type":"track","event":"Audience Entered","userId":"other-%d","messageId":%q,"properties":{"ref":%q,"region":%q,"sender":%q},"external_ids":[{"id":"+1415%07d","type":"phone","isSubscribed":true}]}`,
			n, otherRef(n), otherRef(n), regions[0].name, regions[0].sender, 7000000+n)}
		if err := writer.Write(ctx, m, n%r.partitions()); err != nil {
			return err
		}
		pause.For(ctx, 40*time.Millisecond)
	}
	return nil
}

// measureTwoTopics judges the other topic's events: each has one message. And the
// log must say that there are two topics.
func measureTwoTopics(r *run, h *evidence.History) (grades, faults []string) {
	got := map[string]int{}
	for _, m := range h.Messages {
		if m.Action == secondAction {
			got[m.Ref]++
		}
	}
	lost, twice := 0, 0
	for n := range otherEvents {
		switch got[otherRef(n)] {
		case 0:
			lost++
		case 1:
		default:
			twice++
		}
	}
	grade := fmt.Sprintf("the other topic: %d events, %d lost, %d sent twice", otherEvents, lost, twice)
	if lost+twice > 0 || len(got) > otherEvents {
		faults = append(faults, grade)
	}
	said := false
	for _, w := range r.all {
		text, err := os.ReadFile(w.log)
		said = said || err == nil && strings.Contains(string(text), twoSaid)
	}
	if !said {
		faults = append(faults, "no replica's log says that the group has two topics")
	}
	return append(grades, grade), faults
}
