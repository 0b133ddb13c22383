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
