package integration

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/actions/outcome"
	"engage-worker/internal/sim/sample"
)

// TestMixedEvents is the main job: every matching, subscribed event sent once
// and in order, every failure in the dead-letter topic with its reason and its
// bytes, and all offsets committed.
func TestMixedEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	opts := sample.Mix()
	opts.Users = 400
	opts.Europe = 0.3
	opts.Start = time.Now().Add(-time.Minute)
	generator := sample.New(7, opts)
	var messages []kafka.Message
	events := map[string]sample.Event{}
	for range 5000 {
		ev := generator.Next()
		messages = append(messages, kafka.Message{Key: ev.Key, Value: ev.Value, Headers: []kafka.Header{{Key: "trace", Value: []byte(ev.MessageID)}, {Key: "empty", Value: []byte{}}}})
		events[ev.MessageID] = ev
	}
	r.produce(messages...)
	r.start()
	r.awaitDone(60 * time.Second)

	wantSent, wantDead := map[string]int{}, map[string]outcome.Reason{}
	order := map[string][]string{}
	for _, m := range messages {
		ev := events[string(m.Headers[0].Value)]
		switch {
		case ev.SMS == outcome.ReasonNone:
			wantSent[ev.MessageID]++
			order[ev.UserID] = append(order[ev.UserID], ev.MessageID)
		case ev.SMS >= outcome.ReasonMalformedEvent:
			wantDead[ev.MessageID] = ev.SMS
		}
	}
	if len(wantSent) < 1000 || len(wantDead) < 50 {
		t.Fatalf("the mix has only %d to send and %d to fail", len(wantSent), len(wantDead))
	}

	gotSent, gotOrder := map[string]int{}, map[string][]string{}
	for _, m := range r.accepted() {
		id := messageOf(&m)
		gotSent[id]++
		gotOrder[events[id].UserID] = append(gotOrder[events[id].UserID], id)
	}
	if !maps.Equal(gotSent, wantSent) {
		t.Errorf("%d messages for %d events; want one for each of %d", sum(gotSent), len(gotSent), len(wantSent))
	}
	if !maps.EqualFunc(gotOrder, order, slices.Equal) {
		t.Error("messages of a user were sent in another order than the user's events have")
	}

	byID := map[string]kafka.Message{}
	for _, m := range messages {
		byID[string(m.Headers[0].Value)] = m
	}
	for _, d := range r.deadLetters() {
		id := ""
		for _, h := range d.Headers {
			if h.Key == "trace" {
				id = string(h.Value)
			}
		}
		want, ok := wantDead[id]
		if !ok {
			t.Errorf("dead letter of %s, which was to be %v: %s", id, events[id].SMS, d.Message)
			continue
		}
		delete(wantDead, id)
		original := byID[id]
		if d.Reason != want.String() || string(d.Value) != string(original.Value) || string(d.Key) != string(original.Key) || (d.Key == nil) != (original.Key == nil) ||
			!slices.EqualFunc(d.Headers, original.Headers, func(a, b kafka.Header) bool {
				return a.Key == b.Key && string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil)
			}) {
			t.Errorf("dead letter of %s: reason %s, headers %v, key %q; want %v, %v, %q and the same value", id, d.Reason, d.Headers, d.Key, want, original.Headers, original.Key)
		}
	}
	if len(wantDead) > 0 {
		t.Errorf("no dead letters of %d events: %v", len(wantDead), wantDead)
	}
}

func sum(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}
