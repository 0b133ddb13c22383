package deadletter

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (d *desk) confirmer() *Confirmer {
	return &Confirmer{Cluster: d.cluster(), Topic: AuditTopic("dlq")}
}

// replayed is the source's record of a letter's replay.
func (d *desk) replayed(r *Record) kafka.Message {
	d.t.Helper()
	for _, m := range d.partition(d.t, source, r.Partition) {
		if c, ok := parseClaim(m.Headers); ok && c.ID == r.ID() {
			return m
		}
	}
	d.t.Fatalf("%s isn't in the source", r.ID())
	return kafka.Message{}
}

func TestConfirm(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(9)
	d.put(t, "dlq", rs...)
	d.run()
	c := d.confirmer()
	for _, r := range rs {
		m := d.replayed(r)
		want := Replayed{ID: r.ID(), Destination: "onboarding", Action: "welcome-sms", Origin: Origin(source, r.Partition, r.Offset), Replays: 1}
		if got, ok, err := c.Confirm(t.Context(), &m); got != want || !ok || err != nil {
			t.Errorf("%s: %+v %t %v, want %+v", r.MessageID, got, ok, err, want)
		}
	}
}

// TestForgedReplays: what the record of replays doesn't say of this very event
// isn't believed, whatever its headers say.
func TestForgedReplays(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(3)
	for i, r := range rs {
		r.Value = fmt.Appendf(nil, `{"n":%d}`, i)
	}
	d.put(t, "dlq", rs...)
	d.run()
	genuine := d.replayed(rs[0])
	with := func(name, value string) []kafka.Header {
		headers := slices.Clone(genuine.Headers)
		i := slices.IndexFunc(headers, func(h kafka.Header) bool { return h.Key == name })
		headers[i].Value = []byte(value)
		return headers
	}
	without := func(name string) []kafka.Header {
		return slices.DeleteFunc(slices.Clone(genuine.Headers), func(h kafka.Header) bool { return h.Key == name })
	}
	other := d.replayed(rs[1])
	for name, m := range map[string]kafka.Message{
		"another event":           {Value: []byte(`{"type":"track"}`), Headers: genuine.Headers},
		"another's headers":       {Value: genuine.Value, Headers: other.Headers},
		"an event without a body": {Headers: genuine.Headers},
		"another number":          {Value: genuine.Value, Headers: with(HeaderReplays, "2147483647")},
		"another action":          {Value: genuine.Value, Headers: with(HeaderReplayAction, "another")},
		"any action":              {Value: genuine.Value, Headers: without(HeaderReplayAction)},
		"another destination":     {Value: genuine.Value, Headers: with(HeaderReplayDestination, "another")},
		"another origin":          {Value: genuine.Value, Headers: with(HeaderReplayOrigin, source+"/0/99")},
		"another plan":            {Value: genuine.Value, Headers: with(HeaderReplayPlan, "p")},
		"no record":               {Value: genuine.Value, Headers: without(HeaderReplayRecord)},
		"a record that isn't":     {Value: genuine.Value, Headers: with(HeaderReplayRecord, "0/100")},
		"a partition that isn't":  {Value: genuine.Value, Headers: with(HeaderReplayRecord, "7/0")},
		"no place":                {Value: genuine.Value, Headers: with(HeaderReplayRecord, "-1/zero")},
	} {
		m.Offset = genuine.Offset
		if r, ok, err := d.confirmer().Confirm(t.Context(), &m); ok || r != (Replayed{}) || err != nil {
			t.Errorf("%s: %+v %t %v", name, r, ok, err)
		}
	}
}

// TestConfirmBefore: what lies in the source before its replay was begun is no replay.
func TestConfirmBefore(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(1)
	d.put(t, "dlq", rs...)
	d.produce(t, source, kafka.Message{Value: []byte(`{}`), WriterData: 0})
	d.run()
	m := d.replayed(rs[0])
	m.Offset = 0
	if _, ok, err := d.confirmer().Confirm(t.Context(), &m); ok || err != nil {
		t.Errorf("%t %v", ok, err)
	}
}

// TestConfirmAfterCompaction: where compaction left of a replay only how it
// went, that is found behind the place.
func TestConfirmAfterCompaction(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(30)
	d.put(t, "dlq", rs...)
	d.run()
	last := map[string]kafka.Message{}
	for _, m := range d.partition(t, AuditTopic("dlq"), 0) {
		last[string(m.Key)] = m
	}
	compacted := slices.SortedFunc(maps.Values(last), func(a, b kafka.Message) int { return int(a.Offset - b.Offset) })
	anew := newDesk(t)
	// As many before as compaction took away: offsets stay.
	filler := kafka.Message{Key: []byte("series/x"), Value: []byte(`{"plan":"x","series":"x","state":"begun"}`), WriterData: 0}
	for i := int64(0); len(compacted) > 0; i++ {
		m := filler
		if compacted[0].Offset == i {
			m.Key, m.Value = compacted[0].Key, compacted[0].Value
			compacted = compacted[1:]
		}
		anew.produce(t, AuditTopic("dlq"), m)
	}
	c := anew.confirmer()
	for i, r := range rs {
		if r.Partition != 0 {
			continue
		}
		m := d.replayed(r)
		if _, ok, err := c.Confirm(t.Context(), &m); !ok || err != nil {
			t.Errorf("%d: %t %v", i, ok, err)
		}
	}
}

// TestConfirmIsCheap: a chunk of replays is read at once.
func TestConfirmIsCheap(t *testing.T) {
	d := newDesk(t)
	var rs []*Record
	for i, r := range firstDeaths(90) {
		if r.Partition == 0 {
			r.Value = fmt.Appendf(nil, `{"n":%d}`, i)
			rs = append(rs, r)
		}
	}
	d.put(t, "dlq", rs...)
	d.run()
	var messages []kafka.Message
	for _, r := range rs {
		messages = append(messages, d.replayed(r))
	}
	fetches := 0
	d.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		d.KeepControl()
		fetches++
		return nil, nil, false
	})
	c := d.confirmer()
	for i := range messages {
		if _, ok, err := c.Confirm(t.Context(), &messages[i]); !ok || err != nil {
			t.Fatalf("%d: %t %v", i, ok, err)
		}
	}
	if fetches > 2 {
		t.Errorf("asked %d times for %d replays", fetches, len(rs))
	}
	if !bytes.HasPrefix(messages[0].Value, []byte(`{"n":`)) {
		t.Error("the events aren't what was written")
	}
}

// TestConfirmTheFirst: the first replay of all makes the record of replays, which
// a client that has looked for it before doesn't know for a while. That is no
// answer; nor is there a record where nobody ever replayed.
func TestConfirmTheFirst(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, source, 1)
	c := &Confirmer{Cluster: b.cluster(), Topic: AuditTopic("dlq")}
	r := firstDeaths(1)[0]
	m := replayMessage(r, 1, "p", 0, 0)
	if _, ok, err := c.Confirm(t.Context(), &m); ok || err != nil {
		t.Errorf("before: %t %v", ok, err)
	}
	b.createTopic(t, AuditTopic("dlq"), 1)
	audit, err := OpenAudit(t.Context(), b.cluster(), AuditTopic("dlq"))
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close()
	a := Audit{ID: r.ID(), Origin: r.origin(), Replay: 1, Plan: "p", Series: "p", State: Intended, Destination: r.Destination, Action: r.Action, Event: fingerprint(r.Value)}
	if err := audit.write(t.Context(), 0, []Audit{a}); err != nil {
		t.Fatal(err)
	}
	for {
		_, ok, err := c.Confirm(t.Context(), &m)
		if err == nil && !ok {
			t.Fatal("a true replay is none")
		}
		if ok {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
