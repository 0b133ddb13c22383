package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/topics"
)

const (
	otherTopic  = "staging"
	otherEvents = 300
	twoSaid     = "members of one consumer group read different source topics" // the log's warning
)

// twoTopics has replicas with another kafka.topic join the group, and kills of
// both kinds. The texts of the other topic's messages begin as secondAction's do.
func twoTopics(ctx context.Context, r *run) error {
	file, err := r.configureOther(ctx)
	if err != nil {
		return err
	}
	other, err := r.startOther(file, 1)
	if err != nil {
		return err
	}
	produced := make(chan error, 1)
	go func() { produced <- r.produceOther(ctx) }()
	err = errors.Join(pause(ctx, 5*time.Second), r.replace(ctx), pause(ctx, 5*time.Second))
	r.note("kill -9 %s, of the other topic", other.name)
	other.kill()
	r.kills++
	other, again := r.startOther(file, 2)
	if err = errors.Join(err, again); err != nil {
		return err
	}
	err = errors.Join(pause(ctx, 5*time.Second), r.replace(ctx), <-produced)
	if err != nil {
		return err
	}
	read := func(ctx context.Context) error {
		commits, err := r.commits(ctx, destination, otherTopic)
		for _, c := range commits {
			if c.Committed != c.End {
				err = errors.Join(err, fmt.Errorf("%s/%d: committed %d, the log ends at %d", c.Topic, c.Partition, c.Committed, c.End))
			}
		}
		return err
	}
	return errors.Join(r.await(ctx, time.Minute, "the other topic read", read), other.stop(stopTimeout))
}

// configureOther writes the configuration with the other topic, and makes its topics.
func (r *run) configureOther(ctx context.Context) (file string, err error) {
	text, err := os.ReadFile(r.config)
	if err != nil {
		return "", err
	}
	changed := strings.NewReplacer("topic: "+r.topic+"\n", "topic: "+otherTopic+"\n", "Welcome! Yours", secondText+". Yours").Replace(string(text))
	file = filepath.Join(r.dir, "other.yaml")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		return "", err
	}
	cfg, err := config.Load(file)
	if err != nil {
		return "", err
	}
	_, err = topics.Ensure(ctx, r.broker.client, topics.Of(cfg), topics.Sizes{Partitions: r.width})
	return file, err
}

func (r *run) startOther(file string, n int) (*replica, error) {
	name := fmt.Sprintf("other-%d", n)
	r.note("start %s, which wants the other topic", name)
	w, err := startReplica(r.program, file, r.dir, name)
	if err == nil {
		r.mu.Lock()
		r.all = append(r.all, w)
		r.mu.Unlock()
	}
	return w, err
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
		if err := errors.Join(writer.Write(ctx, m, n%r.partitions()), pause(ctx, 40*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// measureTwoTopics judges the other topic's events: each has one message. And the
// log must say that there are two topics.
func measureTwoTopics(r *run, h *History) (grades, faults []string) {
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
