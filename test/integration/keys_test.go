package integration

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
)

// withID is a person's event with another messageId, or without one.
func withID(n int, id string) kafka.Message {
	m := person(n, "")
	field, with := fmt.Appendf(nil, `"messageId":"m-%06d",`, n), ""
	if id != "" {
		with = fmt.Sprintf(`"messageId":%q,`, id)
	}
	m.Value = bytes.Replace(m.Value, field, []byte(with), 1)
	return m
}

// TestMessageIDLikeAPosition: a messageId that is another event's position
// suppresses nothing but its own repetitions.
func TestMessageIDLikeAPosition(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	id := r.topic + "/0/1"
	r.produce(withID(0, id))
	r.produce(withID(1, ""))
	r.produce(withID(0, id))
	w := r.start()
	r.awaitDone(20 * time.Second)
	if got := len(r.accepted()); got != 2 {
		t.Errorf("%d messages for 2 events and a repetition", got)
	}
	if got := value(t, w.Registry(), "engage_events_total", map[string]string{"reason": "duplicate"}); got != 1 {
		t.Errorf("%v duplicates, want 1", got)
	}
}

// TestFormerKeyOfAMessageID: what an earlier version wrote of a messageId like
// a position counts for the record that it was written of, and no other.
func TestFormerKeyOfAMessageID(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	const same, other = "a/0/7", "b/0/7"
	for id, offset := range map[string]int64{same: 0, other: 9} {
		e := ledger.Entry{State: ledger.Sent, SID: fmt.Sprintf("SM%032d", offset), Time: time.Now(), Generation: 1, Position: ledger.Position{Offset: offset}}
		w := &kafka.Writer{Addr: r.client.Addr, Transport: r.client.Transport, Topic: r.cfg.LedgerTopic("onboarding"), RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
		if err := w.WriteMessages(t.Context(), kafka.Message{Key: ledger.AppendKey(nil, "welcome-sms", id), Value: e.AppendValue(nil)}); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	r.produce(withID(0, same))
	r.produce(withID(1, other))
	w := r.start()
	r.awaitDone(20 * time.Second)
	sent := r.accepted()
	if len(sent) != 1 || messageOf(&sent[0]) != other {
		t.Errorf("%d messages, want the one of %s", len(sent), other)
	}
	if got := value(t, w.Registry(), "engage_events_total", map[string]string{"outcome": "already_sent"}); got != 1 {
		t.Errorf("%v already sent, want 1", got)
	}
}

// TestAMessageIDOfTwo: a messageId that stood for another message already sends
// nothing, but that somebody is without theirs now is counted and said, with
// where the other is. A restart forgets none of it.
func TestAMessageIDOfTwo(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	otherText := withID(0, "shared")
	otherText.Value = bytes.Replace(otherText.Value, []byte(`"first_name":"P0"`), []byte(`"first_name":"Eve"`), 1)
	unsubscribed := withID(2, "shared")
	unsubscribed.Value = bytes.Replace(unsubscribed.Value, []byte(`"isSubscribed":true`), []byte(`"isSubscribed":false`), 1)
	inOrder := func(messages ...kafka.Message) {
		for i := range messages {
			messages[i].Key = []byte("one")
		}
		r.produce(messages...)
	}
	inOrder(person(7, ""), withID(0, "shared"), withID(0, "shared"), withID(1, "shared"), unsubscribed)
	w := r.start()
	r.awaitDone(20 * time.Second)
	counted := func(w *replica, reason string, want float64) {
		t.Helper()
		if got := value(t, w.Registry(), "engage_events_total", map[string]string{"action": "welcome-sms", "outcome": "skipped", "reason": reason}); got != want {
			t.Errorf("%v skipped for %s, want %v", got, reason, want)
		}
	}
	counted(w, "duplicate", 2) // the repetition, and who wouldn't have got one anyhow
	counted(w, "duplicate_differs", 1)
	line := fmt.Sprintf(`"other":"%s/0/1","reason":"duplicate_differs","action":"welcome-sms","messageId":"shared","topic":"%s","partition":0,"offset":3,`, r.topic, r.topic)
	if !r.logs.contains(line) {
		t.Errorf("the log has no %s", line)
	}
	w.stop()
	inOrder(otherText, withID(0, "shared"))
	w = r.start()
	r.awaitDone(20 * time.Second)
	counted(w, "duplicate", 1)
	counted(w, "duplicate_differs", 1)
	if got := len(r.accepted()); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}
