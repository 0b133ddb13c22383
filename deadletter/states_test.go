package deadletter

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
)

// eventAt is a ledger's position of a letter's partition.
func eventAt(r *Record, offset int64) ledger.Position {
	return ledger.Position{Partition: r.Partition, Offset: offset}
}

// states are what became of the letters, by messageId and replays.
func (d *desk) states(rs ...*Record) map[string]string {
	d.t.Helper()
	s := NewStates(nil)
	for _, r := range rs {
		s.Add(r)
	}
	sources := d.replayer().Sources
	sources.Replays = AuditTopic("dlq")
	if err := s.Learn(d.t.Context(), sources, nil); err != nil {
		d.t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range rs {
		state, why := s.Of(r)
		got[r.MessageID+strings.Repeat("'", r.Replays)] = strings.TrimSpace(string(state) + " " + why)
	}
	return got
}

// TestStates: what became of each letter, by what the ledger, the status and the
// record of replays say.
func TestStates(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(10)
	d.put(t, "dlq", rs[1:]...)
	d.run() // replays all but the first
	again := *rs[2]
	again.Replays, again.Origin, again.Offset = 1, rs[2].origin(), 50
	undelivered := *rs[3]
	undelivered.MessageID, undelivered.Offset, undelivered.Disposition = "accepted", 700, Undelivered
	arrived := undelivered
	arrived.MessageID = "accepted again"
	d.ledger(rs[3], ledger.Entry{State: ledger.Sent, SID: "SM3", Position: eventAt(rs[3], 60)})
	d.ledger(rs[4], ledger.Entry{State: ledger.Sent, SID: "SM4", Position: eventAt(rs[4], 61)})
	d.status(rs[4], "delivered", 61)
	d.ledger(rs[5], ledger.Entry{State: ledger.Refused, Why: "not_subscribed", Position: eventAt(rs[5], 62)})
	d.ledger(rs[6], ledger.Entry{State: ledger.Refused, Position: eventAt(rs[6], 62)}) // waits in a retry topic
	d.status(rs[7], "accepted", 63)                                                    // the ledger has forgotten
	d.ledger(rs[8], ledger.Entry{State: ledger.Sent, SID: "SM8", Position: eventAt(rs[8], 64)})
	d.ledger(rs[8], ledger.Entry{State: ledger.Refused, Position: eventAt(rs[8], 65)}) // late: what was sent stays sent
	d.ledger(&undelivered, ledger.Entry{State: ledger.Sent, SID: "SM1", Position: eventAt(rs[3], 700)})
	d.status(&undelivered, "undelivered", 700)
	d.ledger(&arrived, ledger.Entry{State: ledger.Sent, SID: "SM2", Position: eventAt(rs[3], 900)})
	d.status(&arrived, "delivered", 900)
	audit := d.replayer().Audit
	if err := audit.write(t.Context(), rs[9].Partition, []Audit{{ID: rs[9].ID(), Origin: rs[9].origin(), Replay: 1, Plan: "p", State: Dismissed, By: "x", Why: "y"}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"m-0": "open", "m-1": "replayed", "m-2": "failed_again", "m-2'": "open", "m-3": "sent", "m-4": "delivered", "m-5": "skipped not_subscribed",
		"m-6": "replayed", "m-7": "sent", "m-8": "sent", "m-9": "dismissed", "accepted": "open", "accepted again": "delivered",
	}
	if got := d.states(append(rs, &again, &undelivered, &arrived)...); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestStatesOfTheUndelivered: a replay of what was sent that comes to nothing is
// noted beside what the ledger says, and counts for that replay alone.
func TestStatesOfTheUndelivered(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(4)
	for _, r := range rs {
		r.Disposition, r.Reason, r.TwilioCode, r.TwilioSID = Undelivered, "not_delivered", 30003, "SM1"
		d.ledger(r, ledger.Entry{State: ledger.Sent, SID: "SM1", Position: eventAt(r, r.Offset)})
	}
	d.beside(rs[0], ledger.Entry{State: ledger.Refused, Why: "no_match", Position: eventAt(rs[0], 0)}) // an earlier replay's
	d.produce(t, source, kafka.Message{WriterData: rs[0].Partition})
	d.put(t, "dlq", rs...)
	d.run(func(r *Replayer) { r.Undelivered = true })
	d.beside(rs[1], ledger.Entry{State: ledger.Refused, Why: "not_subscribed", Position: eventAt(rs[1], 60)})
	d.beside(rs[2], ledger.Entry{State: ledger.Refused, Why: "no_match", Position: eventAt(rs[2], 60)})
	d.ledger(rs[2], ledger.Entry{State: ledger.Sent, SID: "SM2", Position: eventAt(rs[2], 61)})
	want := map[string]string{"m-0": "replayed", "m-1": "skipped not_subscribed", "m-2": "sent", "m-3": "replayed"}
	if got := d.states(rs...); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// plans plans with the edit and says how many would be sent, and which are passed over.
func (d *desk) plans(want int, passed map[Why]int, edit func(*Replayer)) {
	d.t.Helper()
	if plan := d.plan(d.replayer(edit)); plan.Send() != want || !maps.Equal(plan.PassedOver, passed) {
		d.t.Errorf("%d to be replayed, want %d; passed over %v, want %v", plan.Send(), want, plan.PassedOver, passed)
	}
}

// TestPlanOfWhatWouldNotBeTaken: what a changed configuration wouldn't take isn't
// replayed, nor what nothing comes of, unless it is named.
func TestPlanOfWhatWouldNotBeTaken(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(6)
	rs[0].Action, rs[1].Value = "gone", []byte(`"other"`)
	rs[2].Reason, rs[3].Reason = "opted_out", "malformed_event"
	d.put(t, "dlq", rs...)
	takes := func(r *Replayer) {
		r.Takes = func(_, action string, value []byte) Why {
			switch {
			case action == "gone":
				return NoAction
			case string(value) == `"other"`:
				return NoMatch
			}
			return ""
		}
	}
	d.plans(2, map[Why]int{NoAction: 1, NoMatch: 1, Unnamed: 2}, takes)
	d.plans(1, map[Why]int{}, func(r *Replayer) { takes(r); r.Filter.Reasons = []string{"opted_out"} })
	d.plans(1, map[Why]int{}, func(r *Replayer) { takes(r); r.Filter.IDs = []string{rs[3].ID()} })
	d.plans(1, map[Why]int{NoAction: 1, NoMatch: 1, Unnamed: 2}, func(r *Replayer) { takes(r); r.Limit = 1 })
}

// TestPlanAgain: what was replayed and came to nothing is replayed once more when
// that is asked for, under the next number.
func TestPlanAgain(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(4)
	d.put(t, "dlq", rs...)
	d.run()
	d.ledger(rs[0], ledger.Entry{State: ledger.Refused, Why: "no_match", Position: eventAt(rs[0], 60)})
	d.ledger(rs[1], ledger.Entry{State: ledger.Sent, SID: "SM1", Position: eventAt(rs[1], 61)})
	d.ledger(rs[2], ledger.Entry{State: ledger.Intent, Position: eventAt(rs[2], 62)})
	d.plans(0, map[Why]int{AlreadySent: 1, AlreadyReplayed: 3}, func(*Replayer) {})
	again := func(r *Replayer) { r.Again, r.Selection = true, "again" }
	d.plans(1, map[Why]int{AlreadySent: 1, MayBeSent: 1, Forgotten: 1}, func(r *Replayer) { again(r); r.Memory = -time.Second })
	d.plans(2, map[Why]int{AlreadySent: 1, MayBeSent: 1}, again)
	if _, report := d.run(again); report.Published != 2 {
		t.Errorf("%+v", report)
	}
	if got := d.replays(); got[rs[0].ID()+"/2"] != 1 || got[rs[3].ID()+"/2"] != 1 || got[rs[1].ID()+"/2"] != 0 {
		t.Errorf("%v", got)
	}
	d.plans(0, map[Why]int{AlreadySent: 1, AlreadyReplayed: 3}, func(*Replayer) {})
}

// TestPlanOfWhatMayHaveBeenSent: where neither the ledger nor the letter knows with
// what Twilio could be asked, only --even-if-sent replays.
func TestPlanOfWhatMayHaveBeenSent(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(4)
	for _, r := range rs {
		r.Disposition, r.Reason = Ambiguous, "outcome_unknown"
	}
	rs[0].Doubt = "1 intent 1732390000123 0/0 7 ~1/2"
	intent := ledger.Entry{State: ledger.Intent, Position: eventAt(rs[1], rs[1].Offset), Tags: ledger.Tags{Recipient: 1}}
	d.put(t, "dlq", rs...)
	d.ledger(rs[1], intent)
	d.ledger(rs[3], ledger.Entry{State: ledger.Refused, Position: eventAt(rs[3], rs[3].Offset)}) // found out since
	d.plans(0, map[Why]int{MayBeSent: 4}, func(*Replayer) {})
	d.plans(4, map[Why]int{}, func(r *Replayer) { r.EvenIfSent = true })
	plan := d.plan(d.replayer(func(r *Replayer) { r.Ambiguous = true }))
	got := map[string]string{}
	for _, i := range plan.items {
		got[i.id], _, _ = strings.Cut(i.Doubt, " ~")
		if i.EvenIfSent || i.Past != nil {
			t.Errorf("%+v", i)
		}
	}
	if got[rs[0].ID()] != "1 intent 1732390000123 0/0 7" || !strings.HasPrefix(got[rs[1].ID()], "1 intent ") || len(got) != 3 || plan.PassedOver[Forgotten] != 1 {
		t.Errorf("%v %v", got, plan.PassedOver)
	}
}

// TestPlanOfTheUndelivered: what Twilio accepted is left alone until it is asked
// for, and what may have arrived until that is said as well; then the replay
// says which message it may pass.
func TestPlanOfTheUndelivered(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(4)
	for i, code := range []int{30003, 30008, 99999, 30007} {
		rs[i].Disposition, rs[i].Reason, rs[i].TwilioCode, rs[i].TwilioSID = Undelivered, "not_delivered", code, "SM1"
		d.ledger(rs[i], ledger.Entry{State: ledger.Sent, SID: "SM1", Position: eventAt(rs[i], rs[i].Offset)})
	}
	d.ledger(rs[3], ledger.Entry{State: ledger.Sent, SID: "SM2", Position: eventAt(rs[3], 900)})
	d.put(t, "dlq", rs...)
	d.plans(0, map[Why]int{NotDelivered: 3, AlreadySent: 1}, func(*Replayer) {})
	d.plans(1, map[Why]int{MayHaveArrived: 2, AlreadySent: 1}, func(r *Replayer) { r.Undelivered = true })
	d.plans(3, map[Why]int{AlreadySent: 1}, func(r *Replayer) { r.Undelivered, r.Ambiguous = true, true })
	plan := d.plan(d.replayer(func(r *Replayer) { r.Undelivered = true }))
	if want := (Past{Partition: rs[0].Partition, Offset: rs[0].Offset, SID: "SM1"}); *plan.items[0].Past != want {
		t.Errorf("%+v, want %+v", plan.items[0].Past, want)
	}
}
