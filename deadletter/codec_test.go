package deadletter

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func full() *Record {
	return &Record{
		Key:           []byte("user-1"),
		Value:         []byte(`{"type":"track"}`),
		Headers:       headers("traceparent=00-ab", "x=", "x=2"),
		Topic:         "audience-events",
		Partition:     3,
		Offset:        4711,
		Timestamp:     at("2026-03-01T10:00:00.123Z"),
		Group:         "engage-worker.onboarding",
		DeliveryCount: 4,
		Message:       "21610: recipient opted out",
		Destination:   "onboarding",
		Action:        "welcome-sms",
		Reason:        "opted_out",
		Disposition:   Permanent,
		MessageID:     "m-1",
		UserID:        "u-1",
		Region:        "us-west-2",
		Recipient:     "+15***567",
		TwilioCode:    21610,
		TwilioStatus:  400,
		RequestID:     "RQ1",
		TwilioSID:     "SM1",
		FirstFailedAt: at("2026-03-01T10:00:01Z"),
		LastFailedAt:  at("2026-03-01T10:00:02.5Z"),
		Replays:       2,
		Doubt:         "1 intent 1732390000123 3/12 7",
		Origin:        "audience-events/3/12",
	}
}

func TestEncode(t *testing.T) {
	m := Encode(full())
	want := `traceparent=00-ab
x=
x=2
__dlq.errors.topic=audience-events
__dlq.errors.partition=3
__dlq.errors.offset=4711
__dlq.errors.group=engage-worker.onboarding
__dlq.errors.delivery.count=4
__dlq.errors.message=21610: recipient opted out
engage.dlq.id=` + full().ID() + `
engage.destination=onboarding
engage.action=welcome-sms
engage.reason=opted_out
engage.disposition=permanent
engage.message_id=m-1
engage.user_id=u-1
engage.region=us-west-2
engage.recipient=+15***567
engage.twilio.code=21610
engage.twilio.status=400
engage.twilio.request_id=RQ1
engage.twilio.sid=SM1
engage.first_failed_at=2026-03-01T10:00:01.000Z
engage.last_failed_at=2026-03-01T10:00:02.500Z
engage.record.timestamp=2026-03-01T10:00:00.123Z
engage.replays=2
engage.replay.origin=audience-events/3/12
engage.doubt=1 intent 1732390000123 3/12 7
`
	if got := lines(m.Headers); got != want {
		t.Errorf("headers:\n%s\nwant:\n%s", got, want)
	}
	if string(m.Key) != "user-1" || string(m.Value) != `{"type":"track"}` || m.Topic != "" || !m.Time.IsZero() {
		t.Errorf("message: %+v", m)
	}
}

func TestEncodeLeavesOutWhatIsUnknown(t *testing.T) {
	m := Encode(&Record{Topic: "t", Destination: "d", Reason: "malformed_event", Disposition: Malformed})
	want := `__dlq.errors.topic=t
__dlq.errors.partition=0
__dlq.errors.offset=0
__dlq.errors.delivery.count=0
engage.dlq.id=` + (&Record{Topic: "t", Destination: "d"}).ID() + `
engage.destination=d
engage.reason=malformed_event
engage.disposition=malformed
`
	if got := lines(m.Headers); got != want {
		t.Errorf("headers:\n%s\nwant:\n%s", got, want)
	}
	if m.Key != nil || m.Value != nil {
		t.Errorf("key %q, value %q, want nil", m.Key, m.Value)
	}
}

// An event that was replayed, or that someone copied back by hand, carries an
// earlier death's headers: they are replaced, and none of them survives.
func TestEncodeReplacesAnEarlierDeath(t *testing.T) {
	first := full()
	again := full()
	again.Headers = Encode(first).Headers
	again.Headers = append(again.Headers, headers("engage.replay.id=x", "engage.replay.action=a", "engage.other=kept")...)
	again.TwilioCode = 0
	again.Replays = 3

	want := full()
	want.Headers = headers("traceparent=00-ab", "x=", "x=2", "engage.other=kept")
	want.TwilioCode = 0
	want.Replays = 3
	if got, want := lines(Encode(again).Headers), lines(Encode(want).Headers); got != want {
		t.Errorf("headers:\n%s\nwant:\n%s", got, want)
	}
}

func TestEncodeBoundsAndCleansText(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"long":           {strings.Repeat("x", 5000), strings.Repeat("x", 1024)},
		"cut in a rune":  {strings.Repeat("x", 1023) + "é", strings.Repeat("x", 1023)},
		"not UTF-8":      {"a\xffb", "a\uFFFDb"},
		"continuations":  {strings.Repeat("\x80", 3000), "\uFFFD"},
		"exactly enough": {strings.Repeat("é", 512), strings.Repeat("é", 512)},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Decode(Encode(&Record{Reason: "x", UserID: tc.in}))
			if err != nil || r.UserID != tc.want {
				t.Errorf("got %q (%v), want %q", r.UserID, err, tc.want)
			}
		})
	}
}

func TestDecodeInvertsEncode(t *testing.T) {
	m := Encode(full())
	m.Topic, m.Partition, m.Offset, m.Time = "audience-events.dlq", 3, 9, at("2026-03-01T10:00:03Z")
	got, err := Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	want := full()
	want.id = full().ID()
	want.Position = Position{"audience-events.dlq", 3, 9, at("2026-03-01T10:00:03Z")}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeIsLenient(t *testing.T) {
	for name, tc := range map[string]struct {
		headers []kafka.Header
		want    Record
		err     string
		foreign bool
	}{
		"no header":      {nil, Record{}, "not a dead letter of engage-worker", true},
		"someone else's": {headers("__dlq.errors.topic=t", "__dlq.errors.offset=3", "a=b"), Record{Topic: "t", Offset: 3, Headers: headers("a=b")}, "not a dead letter of engage-worker", true},
		"bad values": {
			headers("engage.reason=opted_out", "engage.twilio.code=abc", "__dlq.errors.partition=-1", "engage.last_failed_at=yesterday", "engage.replays=99999999999"),
			Record{Reason: "opted_out"},
			"header engage.twilio.code: not a whole number\nheader __dlq.errors.partition: not a whole number\nheader engage.last_failed_at: not an RFC 3339 time\nheader engage.replays: not a whole number",
			false,
		},
		"unknown reason and disposition": {headers("engage.reason=brand_new", "engage.disposition=odd"), Record{Reason: "brand_new", Disposition: "odd"}, "", false},
		"later of two counts":            {headers("engage.reason=a", "engage.reason=b"), Record{Reason: "b"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(kafka.Message{Headers: tc.headers})
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != tc.err || errors.Is(err, ErrForeign) != tc.foreign {
				t.Errorf("error %q, want %q (foreign %v)", text, tc.err, tc.foreign)
			}
			if len(got.Headers) == 0 {
				got.Headers = nil
			}
			if !reflect.DeepEqual(*got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", *got, tc.want)
			}
		})
	}
}

func TestID(t *testing.T) {
	base := Record{Destination: "d", Action: "a", MessageID: "m", Topic: "t", Partition: 1, Offset: 2}
	edit := func(f func(*Record)) string { r := base; f(&r); return r.ID() }

	if got := base.ID(); len(got) != 16 || strings.ToLower(got) != got {
		t.Errorf("id %q is not 16 lower-case hex digits", got)
	}
	same := map[string]string{
		"another offset, same message": edit(func(r *Record) { r.Offset = 99; r.Partition = 7 }),
		"another failure":              edit(func(r *Record) { r.Reason = "expired"; r.Replays = 3; r.LastFailedAt = time.Now() }),
	}
	for name, id := range same {
		if id != base.ID() {
			t.Errorf("%s: %s, want %s", name, id, base.ID())
		}
	}
	noID := edit(func(r *Record) { r.MessageID = "" })
	different := []string{
		base.ID(), noID,
		edit(func(r *Record) { r.Destination, r.Action = "da", "" }),
		edit(func(r *Record) { r.Action = "b" }),
		edit(func(r *Record) { r.MessageID = "m2" }),
		edit(func(r *Record) { r.MessageID = ""; r.Offset = 3 }),
		edit(func(r *Record) { r.MessageID = ""; r.Partition = 2 }),
	}
	seen := map[string]int{}
	for i, id := range different {
		if j, ok := seen[id]; ok {
			t.Errorf("ids %d and %d are both %s", j, i, id)
		}
		seen[id] = i
	}
	// A replayed event without a messageId keeps its id through Origin.
	if got := edit(func(r *Record) { r.MessageID = ""; r.Offset = 900; r.Origin = "t/1/2" }); got != noID {
		t.Errorf("replayed: %s, want %s", got, noID)
	}
}

// TestAfterReplay: a letter keeps the id of the one that was replayed, whatever its
// action and destination are called now; where it was one of no action, each has its own.
func TestAfterReplay(t *testing.T) {
	first := Record{Destination: "d", Action: "a", MessageID: "m", Topic: "t", Partition: 1, Offset: 2}
	again := Record{Destination: "other", Action: "b", MessageID: "m", Topic: "t", Partition: 1, Offset: 9}
	own := again.ID()
	again.AfterReplay(Replayed{ID: first.ID(), Destination: "d", Action: "a", Origin: "t/1/2", Replays: 3})
	if again.ID() != first.ID() || again.Origin != "t/1/2" || again.Replays != 3 {
		t.Errorf("%s, %s, %d; want %s, t/1/2, 3", again.ID(), again.Origin, again.Replays, first.ID())
	}
	malformed := Record{Destination: "other", Action: "b", MessageID: "m", Topic: "t", Partition: 1, Offset: 9}
	if malformed.AfterReplay(Replayed{ID: first.ID(), Origin: "t/1/2", Replays: 1}); malformed.ID() != own {
		t.Errorf("%s, want %s", malformed.ID(), own)
	}
}

func TestParseReplayed(t *testing.T) {
	r := full()
	m := replayMessage(r, 3, "p", 2, 71)
	want := `traceparent=00-ab
x=
x=2
engage.replays=3
engage.replay.id=` + r.ID() + `
engage.replay.destination=onboarding
engage.replay.action=welcome-sms
engage.replay.origin=audience-events/3/12
engage.replay.plan=p
engage.replay.record=2/71
`
	if got := lines(m.Headers); got != want {
		t.Errorf("headers:\n%s\nwant:\n%s", got, want)
	}
	got, ok := ParseReplayed(m.Headers)
	if want := (Replayed{ID: r.ID(), Destination: "onboarding", Action: "welcome-sms", Origin: "audience-events/3/12", Replays: 3}); !ok || got != want {
		t.Errorf("got %+v %v, want %+v", got, ok, want)
	}
	for _, tc := range []struct {
		destination, action string
		want                bool
	}{{"onboarding", "welcome-sms", true}, {"onboarding", "other", false}, {"other", "welcome-sms", false}} {
		if got.Wants(tc.destination, tc.action) != tc.want {
			t.Errorf("Wants(%s, %s) = %v", tc.destination, tc.action, !tc.want)
		}
	}
	got.Action = ""
	if !got.Wants("onboarding", "anything") {
		t.Error("a malformed event's replay is for all actions")
	}
	if got, ok := ParseReplayed(headers("engage.replays=3", "engage.replay.action=a")); ok || got != (Replayed{}) {
		t.Errorf("without an id: %+v %v", got, ok)
	}
	plain := headers("traceparent=00", "engage.other=1")
	if n := testing.AllocsPerRun(100, func() { ParseReplayed(plain) }); n != 0 {
		t.Errorf("%v allocations for a record that isn't a replay", n)
	}
}

// The names that Encode replaces are those that Decode takes for ours.
func TestOursAreKnown(t *testing.T) {
	names := []string{"engage.other", "__dlq.errors.other", "traceparent", ""}
	for _, h := range append(Encode(full()).Headers, replayMessage(full(), 1, "p", 0, 0).Headers...) {
		names = append(names, h.Key)
	}
	for _, name := range names {
		known, _ := new(Record).setHeader(new(decoder), []byte(name), []byte("1"))
		if known != ours(name) {
			t.Errorf("%s: known %v, ours %v", name, known, ours(name))
		}
	}
}

// Whatever a record holds, encoding what was decoded changes nothing more.
func FuzzDecode(f *testing.F) {
	f.Add("engage.reason", []byte("opted_out"), "engage.twilio.code", []byte("12"), "x", []byte(nil))
	f.Add("engage.last_failed_at", []byte("2026-03-01T10:00:00Z"), "__dlq.errors.offset", []byte("9223372036854775807"), "engage.dlq.id", []byte("\xff"))
	f.Fuzz(func(t *testing.T, n1 string, v1 []byte, n2 string, v2 []byte, n3 string, v3 []byte) {
		first, _ := Decode(kafka.Message{Headers: []kafka.Header{{Key: n1, Value: v1}, {Key: n2, Value: v2}, {Key: n3, Value: v3}}})
		once := Encode(first)
		second, err := Decode(once)
		if err != nil && !errors.Is(err, ErrForeign) {
			t.Fatalf("can't read what was written: %v", err)
		}
		if got, want := lines(Encode(second).Headers), lines(once.Headers); got != want {
			t.Fatalf("%s\nbecame\n%s", want, got)
		}
	})
}
