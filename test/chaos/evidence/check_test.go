package evidence

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// at is a moment of the made-up histories.
func at(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }

// spotless is a history in which every promise was kept, with all kinds of events.
func spotless() *History {
	h := &History{Topic: "source"}
	for i, ref := range []string{"p-000000", "p-000001", "p-000001", "a-000002", "a-000002", "o-000003", "m-000004", "u-000005", "p-000006"} {
		h.Records = append(h.Records, Record{Ref: ref, At: at(i), Place: Place{"source", 0, int64(i)}})
	}
	for i, ref := range []string{"p-000000", "p-000001", "a-000002", "a-000002"} {
		h.Messages = append(h.Messages, Message{Ref: ref, At: at(10 + i), Received: at(10 + i), SID: fmt.Sprintf("SM%d", i), To: "+1"})
	}
	h.Dead = []Dead{
		{Ref: "o-000003", At: at(20), ID: "1", Reason: "opted_out"},
		{Ref: "m-000004", At: at(20), ID: "2", Reason: "malformed_event"},
		{Ref: "m-000004", At: at(21), ID: "2", Reason: "malformed_event"}, // the same one, written twice
	}
	h.Retries = []Retry{{Ref: "p-000000", At: at(12), Done: true, Place: Place{"retry", 0, 0}}, {Ref: "p-000006", At: at(12), Place: Place{"retry", 0, 1}}}
	h.Commits = []Commit{{"source", 0, 9, 9}, {"retry", 0, 1, 2}}
	return h
}

func TestCheck(t *testing.T) {
	kept := Verdict{Events: 7, Accepted: 4, DeadLetters: 2, Due: 1}
	for _, c := range []struct {
		name   string
		change func(*History)
		want   func(*Verdict)
	}{
		{"spotless", func(*History) {}, func(*Verdict) {}},
		{"lost", func(h *History) { h.Messages = h.Messages[1:] }, func(v *Verdict) {
			v.Accepted, v.Lost = 3, 1
			v.Violations = []Violation{{"p-000000", "neither a message, nor a dead letter, nor a retry that is due"}}
		}},
		{"lost without a messageId", func(h *History) { h.Messages = h.Messages[:3] }, func(v *Verdict) {
			v.Accepted, v.Lost = 3, 1
			v.Violations = []Violation{{"a-000002", "neither a message, nor a dead letter, nor a retry that is due"}}
		}},
		{"a retry committed and nothing sent", func(h *History) { h.Retries[1].Done = true }, func(v *Verdict) {
			v.Due, v.Lost = 0, 1
			v.Violations = []Violation{{"p-000006", "neither a message, nor a dead letter, nor a retry that is due"}}
		}},
		{"one message of two", func(h *History) {
			h.PerEvent, h.Messages = 2, append(h.Messages, h.Messages[1:]...)
			h.Dead = append(h.Dead, Dead{Ref: "o-000003", ID: "4", Reason: "opted_out"}, Dead{Ref: "m-000004", ID: "5", Reason: "malformed_event"})
			h.Retries = append(h.Retries, h.Retries[1])
		}, func(v *Verdict) {
			v.Accepted, v.DeadLetters, v.Lost = 7, 4, 1
			v.Violations = []Violation{{"p-000000", "neither a message, nor a dead letter, nor a retry that is due"}}
		}},
		{"doubled", func(h *History) { h.Messages = append(h.Messages, Message{Ref: "p-000001", At: at(30)}) }, func(v *Verdict) {
			v.Accepted, v.Twice = 5, 1
			v.Violations = []Violation{{"p-000001", "2 messages where 1 should be"}}
		}},
		{"doubled without a messageId", func(h *History) { h.Messages = append(h.Messages, Message{Ref: "a-000002"}, Message{Ref: "a-000002"}) }, func(v *Verdict) {
			v.Accepted, v.Twice = 6, 2
			v.Violations = []Violation{{"a-000002", "4 messages where 2 should be"}}
		}},
		{"sent to who opted out", func(h *History) { h.Messages = append(h.Messages, Message{Ref: "o-000003"}) }, func(v *Verdict) {
			v.Accepted, v.Twice = 5, 1
			v.Violations = []Violation{{"o-000003", "1 messages where 0 should be"}}
		}},
		{"a wrong dead letter", func(h *History) {
			h.Dead = append(h.Dead, Dead{Ref: "p-000000", ID: "3", Reason: "outcome_unknown"})
		}, func(v *Verdict) {
			v.DeadLetters, v.WrongDead = 3, 1
			v.Violations = []Violation{{"p-000000", "a wrong dead letter for an event that is plain: outcome_unknown"}}
		}},
		{"dead for another reason", func(h *History) { h.Dead[0].Reason = "expired" }, func(v *Verdict) {
			v.WrongDead = 1
			v.Violations = []Violation{{"o-000003", "a wrong dead letter for an event that is opted out: expired"}}
		}},
		{"a dead letter missing", func(h *History) { h.Dead = h.Dead[:1] }, func(v *Verdict) {
			v.DeadLetters, v.Lost = 1, 1
			v.Violations = []Violation{{"m-000004", "neither a message, nor a dead letter, nor a retry that is due"}}
		}},
		{"never produced", func(h *History) { h.Messages = append(h.Messages, Message{Ref: "p-999999"}) }, func(v *Verdict) {
			v.Accepted = 5
			v.Violations = []Violation{{"p-999999", "1 messages, 0 dead letters for something that was never produced"}}
		}},
		{"not committed to the end", func(h *History) { h.Commits[0].Committed, h.Messages = 0, h.Messages[1:] }, func(v *Verdict) {
			v.Accepted, v.Uncommitted = 3, 9 // what isn't committed isn't lost
			v.Violations = []Violation{{"", "source/0: committed 0, the log ends at 9"}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, want := spotless(), kept
			c.change(h)
			c.want(&want)
			if got := Check(h); !reflect.DeepEqual(*got, want) {
				t.Errorf("got %+v\nwant %+v", *got, want)
			}
		})
	}
}

func TestTell(t *testing.T) {
	h := spotless()
	h.Ledger = []Entry{{Ref: "p-000000", At: at(5), State: "intent", Generation: 3, Place: Place{"ledger", 0, 7}}}
	h.Owners = []Owner{{Replica: "worker-1", Shard: 0, Generation: 3, From: at(4)}, {Replica: "worker-2", Shard: 9, Generation: 3, From: at(4)}}
	h.Faults = []Fault{{at(6), "kill worker-1"}, {at(50), "much later"}}
	h.Requests = []Request{{Ref: "p-000000", At: at(10), Ended: at(11), Method: "POST", To: "+1"}, {At: at(11), Ended: at(11), Method: "GET", To: "+1", Status: 500}}
	var out bytes.Buffer
	h.Tell(&out, "p-000000")
	want := `  p-000000
    03:04:00.000  produced to source/0 at 0
    03:04:04.000  shard 0 is worker-1's, generation 3
    03:04:05.000  ledger: intent, generation 3, at 0/7
    03:04:06.000  -- kill worker-1
    03:04:10.000  ACCEPTED as SM0 (request read 0s before)
    03:04:10.000  request to the vendor: no answer after 1s
    03:04:11.000  the list is asked for the recipient: answered 500 after 0s
    03:04:12.000  retry in retry/0 at 0, due , because of 
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	if err := spotless().Save(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(text), "\n"); first != `{"ref":"p-000000","at":"2026-01-02T03:04:00Z","topic":"source","partition":0,"offset":0}` || strings.Count(string(text), "\n") != 9 {
		t.Errorf("records.jsonl:\n%s", text)
	}
}

func TestRefOf(t *testing.T) {
	for text, want := range map[string]string{
		`{"properties":{"ref":"a-000017"}}`: "a-000017",
		"Welcome! Yours, p-123456":          "p-123456",
		"no ref: x-123456 pp-123456":        "",
	} {
		if got := RefOf([]byte(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
