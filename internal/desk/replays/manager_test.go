package replays

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"

	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/desk/audits"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/sim/scene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	source     = "events"
	dlq        = "events.dlq"
	ledgerName = "events.onboarding.ledger"
	statusName = "events.onboarding.status"
	partitions = 3
)

// rig has the topics of one destination. The record of replays isn't there before it is
// made.
type rig struct {
	*scene.Scene
	t *testing.T
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return &rig{scene.New(t, partitions, source, dlq, ledgerName, statusName), t}
}

// manager is a desk's.
func (r *rig) manager() *Manager {
	r.t.Helper()
	s := store.New(store.Config{
		Cluster: r.Cluster, DeadLetters: dlq, Every: 10 * time.Millisecond, Log: zerolog.Nop(),
		Destinations: []store.Destination{{Name: "onboarding", Ledger: ledgerName, Status: statusName}},
	})
	ctx, cancel := context.WithCancel(r.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) }) // which is ctx's error
	m := New(Config{Planner: r.planner(), OpenAudit: r.openAudit, Store: s, Explain: error.Error})
	r.t.Cleanup(func() {
		m.Close()
		cancel()
		wg.Wait()
	})
	r.await("the store is loaded", func() bool { return s.Progress().Loaded })
	return m
}

func (r *rig) planner() deadletter.Planner {
	topic := func(name string) func(string) string { return func(string) string { return name } }
	return deadletter.Planner{
		Reader: &deadletter.Reader{Cluster: r.Cluster, Topic: dlq}, Source: source, Destinations: []string{"onboarding"}, Memory: time.Hour,
		Sources: deadletter.Sources{Cluster: r.Cluster, Ledger: topic(ledgerName), Status: topic(statusName)},
	}
}

func (r *rig) openAudit(ctx context.Context, create bool) (*deadletter.AuditLog, error) {
	audit, err := deadletter.OpenAudit(ctx, r.Cluster, dlq+".replays")
	switch {
	case !errors.Is(err, kafka.UnknownTopicOrPartition):
		return audit, err
	case !create:
		return nil, nil
	}
	res, err := r.Client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: dlq + ".replays", NumPartitions: partitions, ReplicationFactor: 1}}})
	if err == nil {
		err = res.Errors[dlq+".replays"]
	}
	if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return nil, err
	}
	for {
		audit, err := deadletter.OpenAudit(ctx, r.Cluster, dlq+".replays")
		if !errors.Is(err, kafka.UnknownTopicOrPartition) || ctx.Err() != nil {
			return audit, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (r *rig) await(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// in awaits that a job is in a state.
func (r *rig) in(m *Manager, id string, state State) (v View) {
	r.t.Helper()
	r.await(fmt.Sprintf("%s is %s", id, state), func() bool {
		v, _ = m.Job(id)
		if v.State == Failed && state != Failed {
			r.t.Fatalf("%+v", v)
		}
		return v.State == state
	})
	return v
}

// letters writes n dead letters.
func (r *rig) letters(n int, edits ...func(int, *deadletter.Record)) (all []*deadletter.Record) {
	r.t.Helper()
	var messages []kafka.Message
	for i := range n {
		l := &deadletter.Record{
			Key: fmt.Append(nil, "u", i), Value: fmt.Appendf(nil, `{"messageId":"m%d"}`, i), Topic: source, Partition: i % partitions, Offset: int64(i),
			Destination: "onboarding", Action: "welcome-sms", Reason: "rate_limited", Disposition: deadletter.Exhausted,
			MessageID: fmt.Sprint("m", i), LastFailedAt: time.Now().UTC(),
		}
		for _, edit := range edits {
			edit(i, l)
		}
		m := deadletter.Encode(l)
		m.WriterData = l.Partition
		all, messages = append(all, l), append(messages, m)
	}
	r.Put(dlq, messages...)
	return all
}

// sent writes that letters' deliveries were sent, and of how many segments.
func (r *rig) sent(letters ...*deadletter.Record) {
	r.t.Helper()
	for _, l := range letters {
		key := ledger.AppendKey(nil, l.Action, l.IdempotencyKey())
		e := ledger.Entry{State: ledger.Sent, SID: "SM1", Time: time.Now(), Position: ledger.Position{Partition: l.Partition, Offset: 1000}}
		r.Put(ledgerName, kafka.Message{Key: key, Value: e.AppendValue(nil), WriterData: l.Partition})
		r.Put(statusName, kafka.Message{Key: key, WriterData: l.Partition, Value: fmt.Appendf(nil,
			`{"sid":"SM1","status":"accepted","segments":3,"position":"%d/1000","acceptedAt":%q}`, l.Partition, time.Now().UTC().Format(time.RFC3339))})
	}
}

// published are how often each dead letter is in the source.
func (r *rig) published() map[string]int {
	r.t.Helper()
	n := map[string]int{}
	for p := range partitions {
		_, end, err := r.Cluster.Bounds(r.t.Context(), source, p)
		if err != nil {
			r.t.Fatal(err)
		}
		scanner := records.Scanner{Cluster: r.Cluster, MaxBytes: 1 << 20}
		if err := scanner.Scan(r.t.Context(), records.Span{Topic: source, Partition: p, End: end}, func(block []records.Record) error {
			for i := range block {
				if replay, ok := deadletter.ParseReplayed(block[i].Message(source, p).Headers); ok {
					n[replay.ID]++
				}
			}
			return nil
		}); err != nil {
			r.t.Fatal(err)
		}
	}
	return n
}

// once fails unless n letters are in the source, each once.
func (r *rig) once(n int) {
	r.t.Helper()
	published := r.published()
	if len(published) != n {
		r.t.Errorf("%d are in the source, want %d", len(published), n)
	}
	for id, times := range published {
		if times != 1 {
			r.t.Errorf("%s is there %d times", id, times)
		}
	}
}

func TestPlanAndStart(t *testing.T) {
	r := newRig(t)
	all := r.letters(30, func(i int, l *deadletter.Record) {
		switch i {
		case 0:
			l.Destination = "another"
		case 1, 2:
			l.Reason = "opted_out"
		}
	})
	m := r.manager()
	r.sent(all[3])
	r.await("segments are known", func() bool { _, ok := m.cfg.Store.Segments("onboarding", "welcome-sms"); return ok })
	v, err := m.Plan(t.Context(), Options{Rate: 1000, By: "jane@desk"})
	if err != nil || v.State != Planning || v.ID == "" {
		t.Fatalf("%+v, %v", v, err)
	}
	v = r.in(m, v.ID, Planned)
	passed := map[deadletter.Why]int{}
	for _, p := range v.PassedOver {
		passed[p.Why] = p.N
		if p.Words == "" {
			t.Errorf("no words for %s", p.Why)
		}
	}
	if v.Chosen != 30 || v.Send != 26 || v.Left != 26 || v.Segments != 78 || v.SegmentsOf != 26 || v.Estimate != "1 second" || v.Words != "all dead letters" ||
		!maps.Equal(passed, map[deadletter.Why]int{deadletter.OtherSource: 1, deadletter.Unnamed: 2, deadletter.AlreadySent: 1}) {
		t.Errorf("%+v", v)
	}
	if len(r.published()) != 0 {
		t.Error("a plan has published something")
	}
	if err := m.Start(v.ID); err != nil {
		t.Fatal(err)
	}
	v = r.in(m, v.ID, Waiting)
	if err := m.Start(v.ID); !errors.Is(err, ErrState) {
		t.Errorf("started twice: %v", err)
	}
	r.await("what came of it is known", func() bool {
		v, _ = m.Job(v.ID)
		return slices.Equal(v.Outcome, []Became{{deadletter.StateReplayed, 26}})
	})
	r.once(26)
	r.sent(all[4:]...)
	v = r.in(m, v.ID, Done)
	if v.Published != 26 || v.Left != 0 || !slices.Equal(v.Outcome, []Became{{deadletter.StateSent, 26}}) || v.By != "jane@desk" {
		t.Errorf("%+v", v)
	}

	// Another desk, or this one after a restart, knows it from the record.
	other := r.manager()
	r.await("the record is read", func() bool { return len(other.Jobs()) == 1 })
	o := other.Jobs()[0]
	if o.ID != v.ID || o.State != Done || o.By != "jane@desk" || o.Published != 26 || !slices.Equal(o.Outcome, []Became{{deadletter.StateSent, 26}}) || o.Words != "all dead letters" {
		t.Errorf("%+v", o)
	}
}

// A stopped replay is gone on with: by this desk, by another one, and each letter
// goes once.
func TestStopAndGoOn(t *testing.T) {
	r := newRig(t)
	r.letters(60)
	desks := []*Manager{r.manager(), r.manager()}
	o := Options{Filter: deadletter.Filter{Reasons: []string{"rate_limited"}}, Rate: 20, By: "jane@desk"}
	begin := func(m *Manager, o Options) View {
		t.Helper()
		v, err := m.Plan(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		v = r.in(m, v.ID, Planned)
		if err := m.Start(v.ID); err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := begin(desks[0], o)
	r.await("some are published", func() bool { v, _ := desks[0].Job(first.ID); return v.Published > 0 })
	if err := desks[0].Stop(first.ID); err != nil {
		t.Fatal(err)
	}
	v := r.in(desks[0], first.ID, Stopped)
	if v.Left == 0 || v.Published == 0 || v.WayOut == "" || v.Published+v.Left != 60 {
		t.Errorf("%+v", v)
	}
	if err := desks[0].Stop(first.ID); !errors.Is(err, ErrState) {
		t.Errorf("stopped twice: %v", err)
	}
	r.await("the other desk sees it", func() bool {
		seen, ok := desks[1].Job(first.ID)
		return ok && seen.State == Elsewhere && seen.Published == v.Published
	})
	o.Rate = 1000
	second := begin(desks[1], o)
	if second.Continues != first.ID || second.Send != v.Left {
		t.Errorf("%+v", second)
	}
	r.await("it ends", func() bool {
		v, _ := desks[1].Job(second.ID)
		return v.State == Waiting && slices.Equal(v.Outcome, []Became{{deadletter.StateReplayed, 60}})
	})
	r.once(60)
	if by, ok := desks[1].Job(first.ID); !ok || by.ID != second.ID {
		t.Errorf("the first plan's address leads to %+v", by)
	}
	r.await("the first desk sees the end", func() bool {
		for _, s := range desks[0].cfg.Store.Series() {
			if s.ID == first.ID && !s.Finished.IsZero() && s.Published == 60 {
				return true
			}
		}
		return false
	})
}

func TestStopBeforeTheStart(t *testing.T) {
	r := newRig(t)
	r.letters(3)
	m := r.manager()
	v, err := m.Plan(t.Context(), Options{By: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	r.in(m, v.ID, Planned)
	if err := errors.Join(m.Stop(v.ID)); err != nil {
		t.Fatal(err)
	}
	if v = r.in(m, v.ID, Stopped); v.Published != 0 {
		t.Errorf("%+v", v)
	}
	if err := m.Start(v.ID); !errors.Is(err, ErrState) {
		t.Errorf("a stopped plan is started: %v", err)
	}
	for _, f := range []func(string) error{m.Start, m.Stop} {
		if err := f("unheard-of"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	}
	// Of many plans the oldest go.
	for range mostJobs + 3 {
		if v, err = m.Plan(t.Context(), Options{By: "jane"}); err != nil {
			t.Fatal(err)
		}
		r.in(m, v.ID, Planned)
	}
	if n := len(m.Jobs()); n != mostJobs {
		t.Errorf("%d jobs are remembered", n)
	}
}

func TestOptions(t *testing.T) {
	m := New(Config{})
	defer m.Close()
	for want, o := range map[string]Options{
		"the rate must be": {By: "jane", Rate: math.NaN()}, "how often": {By: "jane", MaxReplays: -1}, "the limit": {By: "jane", Limit: -1}, "who replays": {By: " "},
	} {
		if _, err := m.Plan(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestDismiss(t *testing.T) {
	r := newRig(t)
	all := r.letters(10)
	m := r.manager()
	r.sent(all[0])
	count := func(state deadletter.State) int {
		groups, err := m.cfg.Store.Groups(t.Context(), deadletter.Filter{States: []deadletter.State{state}})
		if err != nil {
			t.Fatal(err)
		}
		return groups.Total
	}
	r.await("one is sent", func() bool { return count(deadletter.StateSent) == 1 })
	if _, err := m.Dismiss(t.Context(), deadletter.Filter{}, "jane", " ", false); err == nil {
		t.Error("without a reason")
	}
	if n, err := m.Dismiss(t.Context(), deadletter.Filter{}, "jane", "they know", false); n != 9 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	r.await("nine are dismissed", func() bool { return count(deadletter.StateDismissed) == 9 })
	if n, err := m.Dismiss(t.Context(), deadletter.Filter{IDs: []string{all[1].ID()}}, "joe", "not so", true); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	r.await("one is open", func() bool { return count(deadletter.StateOpen) == 1 })
	d, err := m.cfg.Store.Letter(t.Context(), all[1].ID())
	if err != nil || len(d.Replays) == 0 || d.Replays[len(d.Replays)-1].By != "joe" {
		t.Errorf("%+v, %v", d, err)
	}
	if len(m.Jobs()) != 0 {
		t.Errorf("a dismissal counts as a replay: %+v", m.Jobs())
	}
}

func TestRecorded(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		series audits.Series
		state  State
		wayOut string
	}{
		"finished":                           {audits.Series{Begun: ago(90), Last: ago(60), Finished: ago(60), Asked: "reason=expired"}, Done, ""},
		"awaited":                            {audits.Series{Begun: ago(3), Last: ago(2), Finished: ago(2), Outcome: map[deadletter.State]int{deadletter.StateReplayed: 1}}, Waiting, ""},
		"under way":                          {audits.Series{Begun: ago(90), Last: ago(1)}, Elsewhere, ""},
		"interrupted":                        {audits.Series{Begun: ago(90), Last: ago(60), Asked: "reason=expired"}, Interrupted, goOn},
		"interrupted, not all told":          {audits.Series{Begun: ago(90), Last: ago(60), Asked: "left-out=user"}, Interrupted, goOnUnnamed},
		"of an earlier version's":            {audits.Series{Begun: ago(90), Last: ago(60)}, Interrupted, goOnUnnamed},
		"gone on with after it was finished": {audits.Series{Begun: ago(90), Finished: ago(60), Last: ago(1)}, Elsewhere, ""},
	} {
		if v := recorded(c.series, now); v.State != c.state || v.WayOut != c.wayOut || v.Begun.IsZero() {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
