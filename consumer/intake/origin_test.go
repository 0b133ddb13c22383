package intake

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/deadletter"
)

var recorded = time.Date(2026, 11, 23, 10, 0, 0, 123, time.UTC)

// TestARetryKnowsItsOrigin: what a retry record says is what was known when it
// was written, and the event's own headers stay as they were.
func TestARetryKnowsItsOrigin(t *testing.T) {
	own := []kafka.Header{{Key: "traceparent", Value: []byte("00-1")}, {Key: "empty", Value: []byte{}}}
	from := Origin{Topic: "events", Partition: 3, Offset: 12345, Time: recorded, Attempts: 4, FirstFailedAt: recorded.Add(time.Second)}
	due := recorded.Add(time.Minute)
	m := from.RetryMessage(&kafka.Message{Key: []byte("k"), Value: []byte("v"), Headers: own}, "welcome-sms", 2, due, "rate_limited")
	m.Time = recorded.Add(time.Hour) // of the retry topic's record
	got, ok := RetryOrigin(&m)
	want := from
	want.Action, want.Tier, want.NotBefore = "welcome-sms", 2, due
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %t\nwant %+v", got, ok, want)
	}
	if headers := WithoutRetry(m.Headers); !reflect.DeepEqual(headers, own) {
		t.Errorf("the event's own headers: %v", headers)
	}
	again := got.RetryMessage(&m, "welcome-sms", 3, due, "rate_limited")
	if len(again.Headers) != len(m.Headers) {
		t.Errorf("the second time it has %d headers, the first time %d", len(again.Headers), len(m.Headers))
	}
}

// TestForeignRetries: anybody can write into a topic, and nothing that is
// written there stops a worker.
func TestForeignRetries(t *testing.T) {
	headers := func(pairs ...string) (all []kafka.Header) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, kafka.Header{Key: headerRetryPrefix + pairs[i], Value: []byte(pairs[i+1])})
		}
		return all
	}
	for _, c := range []struct {
		name    string
		headers []kafka.Header
		ok      bool
		tier    int
	}{
		{"none", nil, false, 0},
		{"no action", headers("position", "events/1/2"), false, 0},
		{"no position", headers("action", "a"), false, 0},
		{"no offset", headers("position", "events/1", "action", "a"), false, 0},
		{"no number", headers("position", "events/x/2", "action", "a"), false, 0},
		{"no tier", headers("position", "events/1/2", "action", "a"), true, 0},
		{"a tier that is none", headers("position", "events/1/2", "action", "a", "tier", "x"), true, 0},
		{"a negative tier", headers("position", "events/1/2", "action", "a", "tier", "-7"), true, 0},
		{"a tier beyond the last", headers("position", "events/1/2", "action", "a", "tier", "99"), true, 99},
		{"no times", headers("position", "events/1/2", "action", "a", "not_before", "tomorrow", "record_timestamp", ""), true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, ok := RetryOrigin(&kafka.Message{Time: recorded, Headers: c.headers})
			if ok != c.ok || o.Tier != c.tier || !o.Time.Equal(recorded) || !o.NotBefore.IsZero() {
				t.Errorf("%+v, %t", o, ok)
			}
		})
	}
}

func TestIdempotencyKey(t *testing.T) {
	o := Origin{Topic: "events", Partition: 3, Offset: 5}
	replay := o
	replay.Replayed, replay.Replay = true, deadletter.Replayed{Origin: "events/3/1"}
	for _, c := range []struct {
		origin    Origin
		messageID string
		want      string
	}{
		{o, "m-1", "m-1"},
		{o, "", "events/3/5"},
		{replay, "m-1", "m-1"},
		{replay, "", "events/3/1"},
		{o, "events/3/4", "\x000760e84f99f02cb1c0b308deb372243c249f7cd2140312b77c4bace322ad483d"},
	} {
		if got := c.origin.IdempotencyKey(c.messageID); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestARetryKnowsItsReplay: what the record of replays confirmed goes along with a
// retry; what an event's headers say doesn't, but in what an earlier version wrote.
func TestARetryKnowsItsReplay(t *testing.T) {
	event := kafka.Message{Value: []byte("{}"), Headers: []kafka.Header{
		{Key: deadletter.HeaderReplayID, Value: []byte("forged")}, {Key: deadletter.HeaderReplays, Value: []byte("2147483647")},
		{Key: deadletter.HeaderReplayOrigin, Value: []byte("events/3/1")},
	}}
	o := Origin{Topic: "events", Partition: 3, Offset: 5}
	m := o.RetryMessage(&event, "a", 1, time.Now(), "rate_limited")
	if got, ok := RetryOrigin(&m); !ok || got.Replayed || got.Replay != (deadletter.Replayed{}) {
		t.Errorf("forged: %+v %t", got, ok)
	}
	o.Replayed = true
	o.Replay = deadletter.Replayed{ID: "1", Destination: "d", Action: "a", Origin: "events/3/2", Replays: 2, Permission: deadletter.Permission{Doubt: "1 intent", EvenIfSent: true}}
	m = o.RetryMessage(&event, "a", 1, time.Now(), "rate_limited")
	again, _ := RetryOrigin(&m)
	m = again.RetryMessage(&m, "a", 2, time.Now(), "rate_limited")
	if got, ok := RetryOrigin(&m); !ok || !got.Replayed || got.Replay != o.Replay {
		t.Errorf("confirmed: %+v %t", got, ok)
	}
	m.Headers = slices.DeleteFunc(m.Headers, func(h kafka.Header) bool { return h.Key == headerRetryReplay })
	want := deadletter.Replayed{ID: "forged", Origin: "events/3/1", Replays: 2147483647}
	if got, ok := RetryOrigin(&m); !ok || !got.Replayed || got.Replay != want {
		t.Errorf("an earlier version's: %+v %t", got, ok)
	}
}

// FuzzRetryOrigin gives any headers to what reads a retry's, and holds what is
// written then against what was read.
func FuzzRetryOrigin(f *testing.F) {
	f.Add("engage.retry.position", []byte("events/3/5"), "engage.retry.action", []byte("sms"), "engage.retry.tier", []byte("2"), "m-1")
	f.Add("engage.retry.position", []byte("e/-1/9223372036854775807"), "engage.retry.attempts", []byte("-1"), "engage.retry.action", []byte{0xff}, "e/0/1")
	f.Add("engage.retry.position", []byte("events/3/5"), "engage.retry.action", []byte("sms"), "engage.retry.replay", []byte(`{"ID":"1","Origin":"e/0/1","Replays":2}`), "")
	f.Add("engage.retry.not_before", []byte("9999-12-31T23:59:59Z"), "engage.retry.record_timestamp", []byte("0000-01-01T00:00:00Z"), "engage.replays", []byte("2147483647"), "")
	f.Fuzz(func(t *testing.T, n1 string, v1 []byte, n2 string, v2 []byte, n3 string, v3 []byte, messageID string) {
		m := kafka.Message{Topic: "events", Time: recorded, Headers: []kafka.Header{{Key: n1, Value: v1}, {Key: n2, Value: v2}, {Key: n3, Value: v3}}}
		source := SourceOrigin(&m)
		if source.Topic != "events" || source.Action != "" || source.Tier != 0 || !source.Time.Equal(recorded) {
			t.Fatalf("a source record's headers say where it is: %+v", source)
		}
		if a, b := source.IdempotencyKey(messageID), (&Origin{Topic: "events", Offset: 1}).IdempotencyKey(""); a == b && messageID != "" {
			t.Fatalf("the messageId %q has the key of the event without one at offset 1", messageID)
		}
		o, ok := RetryOrigin(&m)
		if !ok {
			return
		}
		written := o.RetryMessage(&m, o.Action, o.Tier, o.NotBefore, "rate_limited")
		again, ok := RetryOrigin(&written)
		if !ok || again.IdempotencyKey(messageID) != o.IdempotencyKey(messageID) || again.Action != o.Action || again.Tier != o.Tier || again.Tier < 0 || again.Attempts != o.Attempts ||
			again.Topic != o.Topic || again.Partition != o.Partition || again.Offset != o.Offset || !again.NotBefore.Equal(o.NotBefore) || !again.Time.Equal(o.Time) {
			t.Fatalf("%+v became %+v, %t", o, again, ok)
		}
		if own, was := WithoutRetry(written.Headers), WithoutRetry(m.Headers); len(own) != len(was) {
			t.Fatalf("%d own headers became %d", len(was), len(own))
		}
	})
}
