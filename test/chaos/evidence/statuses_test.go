package evidence

import (
	"reflect"
	"testing"
)

// followedHistory is one in which the status of each message is known: one delivered,
// one that failed, and one that failed, was replayed, and failed again.
func followedHistory() *History {
	return &History{
		Messages: []Message{
			{Ref: "p-000000", SID: "SM0"},
			{Ref: "p-000001", SID: "SM1", End: "failed", Code: 30007},
			{Ref: "p-000002", SID: "SM2", End: "undelivered", Code: 30003},
			{Ref: "p-000002", SID: "SM3", End: "undelivered", Code: 30005},
		},
		Dead: []Dead{
			{Ref: "o-000009", ID: "9", Reason: "opted_out"},
			{Ref: "p-000001", ID: "1", Reason: NotDelivered, SID: "SM1", Code: 30007},
			{Ref: "p-000002", ID: "2", Reason: NotDelivered, SID: "SM2", Code: 30003},
			{Ref: "p-000002", ID: "2", Reason: NotDelivered, SID: "SM2", Code: 30003}, // the same one, written twice
			{Ref: "p-000002", ID: "2", Reason: NotDelivered, SID: "SM3", Code: 30005, Replays: 1},
		},
		Statuses: []Status{
			{"SM0", "accepted", 0, "", Place{"status", 0, 0}},
			{"SM0", "delivered", 0, "callback", Place{"status", 0, 5}},
			{"SM1", "failed", 30007, "sweep", Place{"status", 1, 1}},
			{"SM1", "accepted", 0, "", Place{"status", 1, 0}},
			{"SM2", "undelivered", 30003, "sweep", Place{"status", 0, 3}},
			{"SM3", "undelivered", 30005, "sweep", Place{"status", 0, 9}},
		},
	}
}

func TestCheckStatuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*History)
		want   []string
	}{
		{"each is known", func(*History) {}, nil},
		{"not followed to its end", func(h *History) { h.Statuses = append(h.Statuses[:1], h.Statuses[2:]...) },
			[]string{"1 messages whose status isn't the simulator's, as p-000000 SM0: accepted 0, want delivered 0"}},
		{"not followed at all", func(h *History) { h.Statuses = h.Statuses[2:] },
			[]string{"1 messages whose status isn't the simulator's, as p-000000 SM0: none 0, want delivered 0"}},
		{"a forged failure", func(h *History) {
			h.Statuses = append(h.Statuses, Status{"SM0", "failed", 30007, "callback", Place{"status", 0, 8}})
			h.Dead = append(h.Dead, Dead{Ref: "p-000000", ID: "0", Reason: NotDelivered, SID: "SM0", Code: 30007})
		}, []string{
			"1 dead letters of what was delivered, as p-000000 SM0: map[{0 0}:30007]",
			"1 dead letters with another code, as p-000000 SM0: 30007, want 0",
			"1 messages whose status isn't the simulator's, as p-000000 SM0: failed 30007, want delivered 0",
		}},
		{"another code", func(h *History) { h.Statuses[2].Code = 30003 },
			[]string{"1 messages whose status isn't the simulator's, as p-000001 SM1: failed 30003, want failed 30007"}},
		{"no letter", func(h *History) { h.Dead = h.Dead[:4] }, []string{"1 failures without a dead letter, as p-000002 SM3"}},
		{"two letters", func(h *History) { h.Dead[3].Replays = 1 },
			[]string{"1 failures with several dead letters, as p-000002 SM2: map[{2 0}:30003 {2 1}:30003]"}},
		{"a letter without its event", func(h *History) { h.Dead[1].Ref, h.Dead[1].Message = "", "the event is gone" },
			[]string{"1 dead letters without their event, as SM1: the event is gone"}},
		{"nobody's letter", func(h *History) { h.Dead[1].SID = "SM8" },
			[]string{"1 dead letters of no message, as SM8: map[{1 0}:30007]", "1 failures without a dead letter, as p-000001 SM1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := followedHistory()
			c.change(h)
			if got := CheckStatuses(h); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestCheckReplays: each replay of what wasn't delivered is worth one message more,
// however often it stands in the source, and no other.
func TestCheckReplays(t *testing.T) {
	for messages, want := range map[int][2]int{1: {1, 0}, 2: {0, 0}, 3: {0, 1}} {
		h := &History{Topic: "source", Records: []Record{{Ref: "p-000000"}, {Ref: "p-000000", Replay: "1/1"}, {Ref: "p-000000", Replay: "1/1"}}}
		for range messages {
			h.Messages = append(h.Messages, Message{Ref: "p-000000"})
		}
		h.Dead = []Dead{{Ref: "p-000000", ID: "1", Reason: NotDelivered}}
		h.Commits = []Commit{{"source", 0, 3, 3}}
		if v := Check(h); v.Lost != want[0] || v.Twice != want[1] || v.WrongDead != 0 {
			t.Errorf("%d messages: %d lost, %d twice", messages, v.Lost, v.Twice)
		}
		h.Dead[0].Reason = kinds['p'].Reason()
		if v := Check(h); v.Lost != 0 || v.Twice != messages-1 {
			t.Errorf("%d messages after a letter that was never sent: %d lost, %d twice", messages, v.Lost, v.Twice)
		}
	}
}
