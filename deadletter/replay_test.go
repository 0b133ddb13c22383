package deadletter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/records"
)

// desk is an analyst's place: topics, and plans to make.
type desk struct {
	*broker
	t *testing.T
}

const source = "audience-events"

func newDesk(t *testing.T) *desk {
	b := newBroker(t)
	for _, topic := range []string{source, "dlq", AuditTopic("dlq"), "ledger", "status"} {
		b.createTopic(t, topic, 3)
	}
	return &desk{b, t}
}

func (d *desk) replayer(edit ...func(*Replayer)) *Replayer {
	d.t.Helper()
	audit, err := OpenAudit(d.t.Context(), d.cluster(), AuditTopic("dlq"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := audit.Close(); err != nil {
			d.t.Error(err)
		}
	})
	r := &Replayer{
		Planner: Planner{
			Sources: Sources{Cluster: d.cluster(), Ledger: func(string) string { return "ledger" }, Status: func(string) string { return "status" }},
			Reader:  &Reader{d.cluster(), "dlq"}, Audit: audit, Source: source,
			Destinations: []string{"onboarding"}, MaxReplays: 3, By: "jane@desk", Memory: 7 * 24 * time.Hour,
		},
		Rate: 5000,
	}
	for _, e := range edit {
		e(r)
	}
	return r
}

// ledger writes what the ledger says of a letter's delivery.
func (d *desk) ledger(r *Record, e ledger.Entry) {
	d.t.Helper()
	d.ledgerAt(ledger.AppendKey(nil, r.Action, r.IdempotencyKey()), r, e)
}

// beside writes what the ledger says beside it.
func (d *desk) beside(r *Record, e ledger.Entry) {
	d.t.Helper()
	d.ledgerAt(ledger.Beside(ledger.AppendKey(nil, r.Action, r.IdempotencyKey())), r, e)
}

func (d *desk) ledgerAt(key []byte, r *Record, e ledger.Entry) {
	d.t.Helper()
	e.Time = time.Now()
	d.produce(d.t, "ledger", kafka.Message{Key: key, Value: e.AppendValue(nil), WriterData: r.Partition})
}

// status writes what the status topic says of a letter's delivery.
func (d *desk) status(r *Record, status string, offset int64) {
	d.t.Helper()
	d.produce(d.t, "status", kafka.Message{
		Key:   ledger.AppendKey(nil, r.Action, r.IdempotencyKey()),
		Value: fmt.Appendf(nil, `{"sid":"SM2","status":%q,"position":"%d/%d"}`, status, r.Partition, offset), WriterData: r.Partition,
	})
}

func (d *desk) plan(r *Replayer) *Plan {
	d.t.Helper()
	plan, err := r.Plan(d.t.Context(), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return plan
}

// run plans and replays.
func (d *desk) run(edit ...func(*Replayer)) (*Plan, Report) {
	d.t.Helper()
	r := d.replayer(edit...)
	plan := d.plan(r)
	plan.made = plan.made.Add(-settleAfter)
	report, err := r.Run(d.t.Context(), plan)
	if err != nil {
		d.t.Fatal(err)
	}
	return plan, report
}

// replays counts what is in the source by "id/replay".
func (d *desk) replays() map[string]int {
	d.t.Helper()
	n := map[string]int{}
	for p := range 3 {
		for _, m := range d.partition(d.t, source, p) {
			if r, ok := ParseReplayed(m.Headers); ok {
				n[fmt.Sprint(r.ID, "/", r.Replays)]++
			}
		}
	}
	return n
}

// once wants each letter's nth replay in the source exactly once, and no other.
func (d *desk) once(letters []*Record, n int) {
	d.t.Helper()
	want := map[string]int{}
	for _, r := range letters {
		want[fmt.Sprint(r.ID(), "/", n)] = 1
	}
	if got := d.replays(); !maps.Equal(got, want) {
		d.t.Errorf("%d replays in the source, want %d once each: %v", len(got), len(want), got)
	}
}

// firstDeaths are letters that were never replayed.
func firstDeaths(n int) []*Record {
	rs := letters(n, 3)
	for _, r := range rs {
		r.Replays, r.Origin, r.Reason, r.Doubt = 0, "", "recipient_rejected", ""
	}
	return rs
}

func TestReplayPublishesTheOriginal(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(4)
	rs[1].Value, rs[1].MessageID, rs[1].Action, rs[1].Headers = []byte{}, "", "", nil // a malformed event
	rs[2].Value, rs[2].Key = nil, nil
	rs[3].Headers = []kafka.Header{{Key: "empty", Value: []byte{}}, {Key: "null"}, {Key: "engage.own", Value: []byte("kept")}}
	d.put(t, "dlq", rs...)
	plan, report := d.run()
	if plan.Chosen != 4 || plan.Send() != 4 || len(plan.PassedOver) != 0 || report.Published != 4 || report.Left != 0 {
		t.Errorf("plan %+v, report %+v", plan, report)
	}
	wantReasons := []Count{{"recipient_rejected", 4}}
	if got := plan.Reasons(); !reflect.DeepEqual(got, wantReasons) {
		t.Errorf("reasons %v", got)
	}
	for _, r := range rs {
		var got []kafka.Message
		scanner := records.Scanner{Cluster: d.cluster(), MaxBytes: fetchBytes}
		span := records.Span{Topic: source, Partition: r.Partition, End: d.PartitionInfo(source, int32(r.Partition)).HighWatermark}
		if err := scanner.Scan(t.Context(), span, func(block []records.Record) error {
			for i := range block {
				if m := block[i].Message(source, r.Partition); m.Headers != nil {
					if p, _ := ParseReplayed(m.Headers); p.ID == r.ID() {
						got = append(got, m)
					}
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 {
			t.Fatalf("%s: %d replays in partition %d", r.MessageID, len(got), r.Partition)
		}
		m := got[0]
		own := Foreign(m.Headers)
		if !exactly(m.Key, r.Key) || !exactly(m.Value, r.Value) || len(own) != len(r.Headers) {
			t.Errorf("%s: got %+v", r.MessageID, m)
		}
		for i := range own {
			if own[i].Key != r.Headers[i].Key || !exactly(own[i].Value, r.Headers[i].Value) && len(own[i].Value)+len(r.Headers[i].Value) > 0 {
				t.Errorf("%s: header %+v, want %+v", r.MessageID, own[i], r.Headers[i])
			}
		}
		want := Replayed{ID: r.ID(), Destination: "onboarding", Action: r.Action, Origin: Origin(source, r.Partition, r.Offset), Replays: 1}
		if p, ok := ParseReplayed(m.Headers); !ok || p != want {
			t.Errorf("%s: %+v, want %+v", r.MessageID, p, want)
		}
	}
}

// exactly tells nil from empty.
func exactly(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func TestReplayLeavesARecord(t *testing.T) {
	d := newDesk(t)
	r := firstDeaths(3)[2]
	d.put(t, "dlq", r)
	plan, _ := d.run()
	audit := d.replayer().Audit
	var got []Audit
	if err := audit.Read(t.Context(), func(a Audit) {
		if time.Since(a.At) > time.Minute {
			t.Errorf("at %v", a.At)
		}
		a.At, a.offset = time.Time{}, 0
		if a.ID != "" {
			got = append(got, a)
		}
	}); err != nil {
		t.Fatal(err)
	}
	want := Audit{
		ID: r.ID(), Origin: r.origin(), Replay: 1, Plan: plan.ID, Series: plan.ID, State: Intended, By: "jane@desk", Destination: "onboarding",
		Action: "welcome-sms", Reason: "recipient_rejected", DeadLetter: "dlq/2/0", SourceEnd: 0,
		Event: fingerprint(r.Value),
	}
	done := want
	done.State = Published
	if !reflect.DeepEqual(got, []Audit{want, done}) {
		t.Errorf("got  %+v\nwant %+v", got, []Audit{want, done})
	}
}

func TestPlanPassesOver(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(20)
	for _, r := range rs[1:3] {
		d.ledger(r, ledger.Entry{State: ledger.Sent, SID: "SM1", Position: ledger.Position{Partition: r.Partition, Offset: 99}})
	}
	rs[3].Replays = 3
	rs[4].Topic = "another"
	rs[5].Destination = "removed"
	rs[6].Partition = 9
	rs[7].Disposition, rs[7].Doubt = Ambiguous, "1 intent 1732390000123 0/7 1"
	d.put(t, "dlq", rs...)
	d.produce(t, "dlq", kafka.Message{Value: []byte("?"), WriterData: 0})

	plan, _ := d.run()
	want := map[Why]int{AlreadySent: 2, TooOften: 1, OtherSource: 3, MayBeSent: 1}
	if plan.Chosen != 20 || plan.Send() != 13 || plan.Foreign != 1 || !maps.Equal(plan.PassedOver, want) {
		t.Errorf("%+v", plan)
	}
	again := d.plan(d.replayer())
	want[AlreadyReplayed] = 13
	risky := d.plan(d.replayer(func(r *Replayer) { r.Ambiguous = true }))
	if risky.Send() != 1 || risky.PassedOver[MayBeSent] != 0 {
		t.Errorf("with ambiguous ones: %+v", risky)
	}
	if again.Chosen != 20 || again.Send() != 0 || !maps.Equal(again.PassedOver, want) {
		t.Errorf("again: %+v", again)
	}
}

// Only the last death of a delivery counts, for the filter and for the number.
func TestPlanFoldsDeaths(t *testing.T) {
	d := newDesk(t)
	first := firstDeaths(3)
	d.put(t, "dlq", first...)
	d.run()
	again := firstDeaths(3)
	for i, r := range again {
		r.Offset, r.Replays, r.Origin = int64(100+i), 1, Origin(source, first[i].Partition, first[i].Offset)
	}
	again[2].Reason = "expired"
	d.put(t, "dlq", again...)
	d.put(t, "dlq", again[0]) // as Kafka may: twice

	plan, report := d.run(func(r *Replayer) { r.Filter.Reasons = []string{"recipient_rejected"} })
	if plan.Chosen != 2 || plan.Send() != 2 || report.Published != 2 {
		t.Errorf("plan %+v, report %+v", plan, report)
	}
	want := map[string]int{first[0].ID() + "/1": 1, first[1].ID() + "/1": 1, first[2].ID() + "/1": 1, first[0].ID() + "/2": 1, first[1].ID() + "/2": 1}
	if got := d.replays(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Another event with the messageId of a dead letter's neither hides it nor
// stands for it: each is replayed, once.
func TestPlanKeepsEventsApart(t *testing.T) {
	d := newDesk(t)
	victim := firstDeaths(1)[0]
	for _, reason := range []string{victim.Reason, "expired"} {
		other := firstDeaths(1)[0]
		other.Offset, other.Reason = victim.Offset+100, reason
		d.put(t, "dlq", victim, other, victim)
		chosen := 2
		if reason != victim.Reason {
			chosen = 1
		}
		only := func(r *Replayer) { r.Filter.Reasons = []string{victim.Reason} }
		if plan, report := d.run(only); plan.Chosen != chosen || plan.Send() != chosen || report.Published != chosen {
			t.Errorf("another that is %s: plan %+v, report %+v", reason, plan, report)
		}
		if plan := d.plan(d.replayer(only)); plan.Send() != 0 || plan.PassedOver[AlreadyReplayed] != chosen {
			t.Errorf("again, another that is %s: %+v", reason, plan)
		}
		d = newDesk(t)
	}
}

// Cancelled in between, again and again, each is replayed once in the end.
func TestReplayGoesOn(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(300)
	d.put(t, "dlq", rs...)
	published := 0
	for round := 1; ; round++ {
		ctx, cancel := context.WithCancel(t.Context())
		r := d.replayer(func(r *Replayer) {
			r.Rate = 500
			r.Progress = func(p Report) {
				if p.Published >= 70 {
					cancel()
				}
			}
		})
		plan := d.plan(r)
		if plan.Open != 0 {
			t.Fatalf("round %d: %d open after a clean end", round, plan.Open)
		}
		report, err := r.Run(ctx, plan)
		cancel()
		published += report.Published
		if report.Published+report.Left != plan.Send() {
			t.Fatalf("round %d: %+v of %d", round, report, plan.Send())
		}
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if round > 10 {
			t.Fatal("gets nowhere")
		}
	}
	if published != len(rs) {
		t.Errorf("%d published, want %d", published, len(rs))
	}
	d.once(rs, 1)
}

// What an interrupted plan has replayed and has died again isn't replayed by
// the plan that goes on with it, but by the next one.
func TestReplayGoesOnThoughSomeDiedAgain(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(60)
	d.put(t, "dlq", rs...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := d.replayer(func(r *Replayer) {
		r.Rate = 10
		r.Progress = func(Report) { cancel() }
	})
	first := d.plan(r)
	report, err := r.Run(ctx, first)
	if !errors.Is(err, context.Canceled) || report.Published == 0 || report.Left == 0 {
		t.Fatalf("%+v (%v)", report, err)
	}
	replayed := d.replays()
	for _, r := range rs {
		if replayed[r.ID()+"/1"] == 1 {
			again := *r
			again.Replays, again.Origin = 1, Origin(source, r.Partition, r.Offset)
			d.put(t, "dlq", &again)
		}
	}
	other := d.plan(d.replayer(func(r *Replayer) { r.Selection = "another" }))
	if other.Continues() || other.Send() != len(rs) {
		t.Errorf("another selection: %+v", other)
	}
	plan, report := d.run()
	if plan.Series != first.ID || !plan.Continues() || plan.PassedOver[AlreadyReplayed] != len(replayed) || report.Published != len(rs)-len(replayed) {
		t.Errorf("plan %+v, report %+v, %d replayed before", plan, report, len(replayed))
	}
	d.once(rs, 1)
	next := d.plan(d.replayer())
	if next.Continues() || next.Send() != len(replayed) {
		t.Errorf("the next one: %+v, want %d to be replayed", next, len(replayed))
	}
}

// A process that was killed between two steps leaves intents. Those whose
// event is in the source are done; the others are replayed.
func TestReplaySettlesWhatWasCutOff(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(6)
	d.put(t, "dlq", rs...)
	d.produce(t, source, kafka.Message{Value: []byte(`{}`), WriterData: 0})
	killed := d.replayer()
	for i, r := range rs[:5] {
		end := int64(0)
		if r.Partition == 0 {
			end = 1
		}
		a := Audit{ID: r.ID(), Replay: 1, Plan: "killed", State: Intended, By: "x", SourceEnd: end}
		if err := killed.Audit.write(t.Context(), r.Partition, []Audit{a}); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			m := replayMessage(r, 1, "p", 0, 0)
			m.WriterData = r.Partition
			d.produce(t, source, m)
		}
	}
	plan, report := d.run()
	if plan.Send() != 3 || plan.Open != 2 || plan.PassedOver[AlreadyReplayed] != 3 || report.Published != 3 {
		t.Errorf("plan %+v, report %+v", plan, report)
	}
	d.once(rs, 1)
}

// What reached the source while the plan was waiting isn't published again.
func TestReplaySettlesLate(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(1)
	d.put(t, "dlq", rs...)
	other := d.replayer()
	if err := other.Audit.write(t.Context(), 0, []Audit{{ID: rs[0].ID(), Replay: 1, Plan: "slow", State: Intended}}); err != nil {
		t.Fatal(err)
	}
	r := d.replayer()
	plan := d.plan(r)
	if plan.Open != 1 {
		t.Fatalf("%+v", plan)
	}
	m := replayMessage(rs[0], 1, "p", 0, 0)
	m.WriterData = 0
	d.produce(t, source, m)
	plan.made = plan.made.Add(-settleAfter)
	report, err := r.Run(t.Context(), plan)
	if err != nil || report.Published != 0 || report.PassedOver[AlreadyReplayed] != 1 || report.Left != 0 {
		t.Errorf("%+v (%v)", report, err)
	}
	d.once(rs, 1)
}

func TestReplayAfterAWriteError(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(30)
	d.put(t, "dlq", rs...)
	var failing atomic.Bool
	failing.Store(true)
	d.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		d.KeepControl()
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			if failing.Load() && topic.Topic == source {
				return nil, errors.New("cut"), true
			}
		}
		return nil, nil, false
	})
	r := d.replayer()
	report, err := r.Run(t.Context(), d.plan(r))
	var failed *acked.WriteError
	if !errors.As(err, &failed) || report.Published != 0 || report.Left != 30 {
		t.Fatalf("%+v (%v)", report, err)
	}
	failing.Store(false)
	plan, report := d.run()
	if plan.Open == 0 || report.Published != 30 {
		t.Errorf("plan %+v, report %+v", plan, report)
	}
	d.once(rs, 1)
}

// Analysts who press the button at the same time.
func TestTwoReplaysAtOnce(t *testing.T) {
	d := newDesk(t)
	rs := firstDeaths(200)
	d.put(t, "dlq", rs...)
	const analysts = 3
	replayers := make([]*Replayer, analysts)
	plans := make([]*Plan, analysts)
	for i := range analysts {
		replayers[i] = d.replayer(func(r *Replayer) { r.Rate = 100 * float64(i+1) })
		plans[i] = d.plan(replayers[i])
	}
	var wg sync.WaitGroup
	reports := make([]Report, analysts)
	for i, r := range replayers {
		wg.Go(func() {
			var err error
			if reports[i], err = r.Run(t.Context(), plans[i]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	published, taken := 0, 0
	for _, r := range reports {
		published += r.Published
		taken += r.PassedOver[TakenByAnother]
	}
	if published != len(rs) || taken != (analysts-1)*len(rs) {
		t.Errorf("published %d, taken by another %d: %+v", published, taken, reports)
	}
	d.once(rs, 1)
}

func TestReplayKeepsTheRate(t *testing.T) {
	d := newDesk(t)
	d.put(t, "dlq", firstDeaths(40)...)
	start := time.Now()
	d.run(func(r *Replayer) { r.Rate = 50 }) // 5 at once, then 35 at 50 a second
	if took := time.Since(start); took < 700*time.Millisecond {
		t.Errorf("40 at 50/s took %s", took)
	}
}

func TestPlanNeedsWhatItReads(t *testing.T) {
	d := newDesk(t)
	d.put(t, "dlq", firstDeaths(1)...)
	if _, err := OpenAudit(t.Context(), d.cluster(), "missing"); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("missing audit: %v", err)
	}
	d.produce(t, AuditTopic("dlq"), kafka.Message{Value: []byte("?"), WriterData: 1})
	if _, err := d.replayer().Plan(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "dlq.replays/1 at offset 0") {
		t.Errorf("unreadable audit: %v", err)
	}
}
