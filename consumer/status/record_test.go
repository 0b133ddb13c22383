package status

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)

// The record as it is documented.
func TestRecordIsWritten(t *testing.T) {
	r := Record{
		SID: "SM1", Status: Delivered, To: "+15***567", From: "MG1", Action: "welcome-sms", MessageID: "m1", UserID: "u1", Region: "us-west-2",
		Segments: 1, Position: Position{3, 12345}, AcceptedAt: start.Add(123 * time.Millisecond), SentAt: start.Add(time.Second),
		FinalAt: start.Add(4 * time.Second), SeenAt: start.Add(5*time.Second + 1234567), By: BySweep,
	}
	const want = `{"sid":"SM1","status":"delivered","code":0,"to":"+15***567","from":"MG1","action":"welcome-sms","messageId":"m1","userId":"u1","region":"us-west-2","segments":1,"position":"3/12345",` +
		`"acceptedAt":"2026-11-28T08:00:00.123Z","sentAt":"2026-11-28T08:00:01Z","finalAt":"2026-11-28T08:00:04Z","seenAt":"2026-11-28T08:00:05.001Z","by":"sweep"}`
	if got := string(r.append(nil)); got != want {
		t.Fatalf("%s\nwant\n%s", got, want)
	}
	r.SeenAt = r.SeenAt.Truncate(time.Millisecond)
	if got, err := ParseRecord([]byte(want)); err != nil || got != r {
		t.Fatalf("%+v, %v\nwant\n%+v", got, err, r)
	}
	if got, want := string((&Record{SID: "SM1", Status: Accepted, AcceptedAt: start}).append(nil)), `{"sid":"SM1","status":"accepted","code":0,"position":"0/0","acceptedAt":"2026-11-28T08:00:00Z"}`; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestRecordsThatAreNone(t *testing.T) {
	for _, value := range []string{``, `{}`, `[]`, `{"sid":"SM1"}`, `{"sid":"SM1","status":"lost +15551234567"}`, `{"sid":"SM1","status":"sent","position":"1"}`, `{"sid":"SM1","status":"sent","acceptedAt":"+15551234567"}`, `{"sid":5551234567}`} {
		if r, err := ParseRecord([]byte(value)); err == nil || strings.Contains(err.Error(), "5551234567") {
			t.Errorf("%s was read as %+v, %v", value, r, err)
		}
	}
}

// marshaled is the record as encoding/json writes it.
func marshaled(t *testing.T, r Record) string {
	for _, at := range []*time.Time{&r.AcceptedAt, &r.SentAt, &r.FinalAt, &r.SeenAt} {
		*at = at.UTC().Truncate(time.Millisecond)
	}
	for _, s := range []*string{&r.MessageID, &r.UserID, &r.To, &r.From, &r.Region, &r.Action} {
		*s = (*s)[:min(len(*s), maxText)]
	}
	b, err := json.Marshal(&r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// FuzzParseRecord: whatever JSON is a record to encoding/json is that record here, and it
// is written as encoding/json would.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"sid":"SM1","status":"delivered","code":0,"position":"3/12345","acceptedAt":"2026-11-28T08:00:00.123Z"}`))
	f.Add([]byte(`{"sid":"SM1","status":"failed","code":30003,"to":"+1","from":"MG1","action":"a","messageId":"m","userId":"\u00fc","region":"r","segments":2,"position":"0/0","acceptedAt":"2026-11-28T08:00:00+01:00","sentAt":"0001-01-01T00:00:00Z","finalAt":"2026-11-28T08:00:00Z","seenAt":"2026-11-28T08:00:00.1234567Z","by":"sweep"}`))
	f.Add([]byte(`{"sid":"a<b","status":"sent","status":"read","later":{"sid":"x"},"code":01,"segments":-1}`))
	f.Add([]byte(`{"SID":"SM1","status":"sent","to":null,"code":1e3,"userId":"ü"} `))
	f.Add([]byte("{\"sid\":\"SM1\",\"status\":\"sent\",\"userId\":\"\xff\u2028\x7f\"}"))
	f.Fuzz(func(t *testing.T, value []byte) {
		var want Record
		wrong := json.Unmarshal(value, &want)
		r, err := ParseRecord(value)
		if (err == nil) != (wrong == nil && want.SID != "" && want.Status != 0) {
			t.Fatalf("%q: %v, by encoding/json %v", value, err, wrong)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(r, want) {
			t.Fatalf("%q is %+v, by encoding/json %+v", value, r, want)
		}
		if y := r.AcceptedAt.UTC().Year(); y < 0 || y > 9998 || r.SentAt.UTC().Year() > 9998 || r.FinalAt.UTC().Year() > 9998 || r.SeenAt.UTC().Year() > 9998 {
			return // encoding/json refuses such
		}
		written := string(r.append(nil))
		if want := marshaled(t, r); written != want {
			t.Fatalf("%+v is written\n%s, by encoding/json\n%s", r, written, want)
		}
		again, err := ParseRecord([]byte(written))
		if err != nil || again.SID != r.SID || again.Status != r.Status || again.Position != r.Position {
			t.Fatalf("%q: %+v became %+v, %v", value, r, again, err)
		}
	})
}

// What a record is written as is read without encoding/json, but for odd texts.
func TestAUsualRecordIsReadByHand(t *testing.T) {
	full := benched
	full.Segments, full.Code, full.By, full.SentAt, full.FinalAt, full.SeenAt = 3, 30003, BySweep, start, start, start
	for _, r := range []Record{benched, full} {
		var got Record
		if !got.parse(r.append(nil)) || got != r {
			t.Errorf("%+v, want %+v", got, r)
		}
	}
	full.UserID, full.MessageID = "ü <&>\x00", strings.Repeat("ü", maxText)[1:]
	if got, want := string(full.append(nil)), marshaled(t, full); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// However news comes, in whatever order, how often, and from whom: the end is
// the same.
func TestTheOrderOfNewsMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		news := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) News {
			n := News{
				SID: rapid.SampledFrom([]string{"SM1", "SM1", "SM2"}).Draw(t, "sid"), Status: rapid.SampledFrom(States()).Draw(t, "status"),
				By: rapid.SampledFrom([]Feeder{ByCallback, BySweep}).Draw(t, "by"), SeenAt: start.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "seen")) * time.Second),
			}
			if n.Status.Failure() {
				n.Code = 30000 + int(n.Status)
			}
			return n
		}), 0, 8).Draw(t, "news")
		end := func(all []News) string {
			r := Record{SID: "SM1", Status: Accepted, AcceptedAt: start}
			for i := range all {
				before := r.Status
				if moved := r.take(&all[i]); moved != (r.Status > before) || r.Status < before {
					t.Fatalf("from %v to %v by %+v, moved %v", before, r.Status, all[i], moved)
				}
			}
			if r.Status.Final() == r.FinalAt.IsZero() {
				t.Fatalf("it ended when? %+v", r)
			}
			return fmt.Sprint(r.Status, r.Code)
		}
		want := end(news)
		mixed := rapid.Permutation(append(append([]News{}, news...), rapid.SliceOfN(rapid.SampledFrom(append(news, News{SID: "SM1", Status: Accepted})), 0, 5).Draw(t, "repeats")...)).Draw(t, "mixed")
		if got := end(mixed); got != want {
			t.Fatalf("%s, and %s in another order", want, got)
		}
	})
}

func TestTwiliosWords(t *testing.T) {
	for word, want := range map[string]State{
		"accepted": Accepted, "scheduled": Accepted, "queued": Accepted, "sending": Accepted, "sent": Sent, "partially_delivered": Sent,
		"delivered": Delivered, "read": Read, "undelivered": Undelivered, "failed": Failed, "canceled": Canceled, "received": 0, "": 0, "unknown": 0,
	} {
		if got, ok := StateOf(word); got != want || ok != (want != 0) {
			t.Errorf("%q is %v, %v", word, got, ok)
		}
	}
	for _, s := range States() {
		var again State
		text, _ := json.Marshal(s)
		if err := json.Unmarshal(text, &again); err != nil || again != s {
			t.Errorf("%v became %v, %v", s, again, err)
		}
	}
}

func TestReached(t *testing.T) {
	for _, tc := range []struct {
		before, now State
		want        string
	}{
		{0, Accepted, "[accepted]"}, {Accepted, Sent, "[sent]"}, {Accepted, Delivered, "[sent delivered]"}, {Sent, Delivered, "[delivered]"},
		{Accepted, Read, "[sent delivered read]"}, {Delivered, Read, "[read]"}, {Accepted, Undelivered, "[sent undelivered]"}, {Accepted, Failed, "[failed]"},
		{Sent, Unknown, "[unknown]"}, {Unknown, Delivered, "[delivered]"}, {Delivered, Delivered, "[]"}, {Accepted, Canceled, "[canceled]"},
	} {
		if got := fmt.Sprint(reached(tc.before, tc.now)); got != tc.want {
			t.Errorf("from %v to %v: %s, want %s", tc.before, tc.now, got, tc.want)
		}
	}
}
