package status

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/semaphore"

	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
	"engage-worker/internal/sim/embedded"
)

const (
	topic  = "events.d.status"
	source = "events"
)

// rig is a broker with a status topic and a source topic.
type rig struct {
	t       *testing.T
	broker  *embedded.Broker
	cluster *records.Cluster
	metrics *metrics.Metrics
	room    *Room

	mu      sync.Mutex
	letters []*deadletter.Record
	refuse  int // letters
}

func newRig(t *testing.T) *rig {
	t.Helper()
	b, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	for _, name := range []string{topic, source} {
		if err := b.CreateTopic(name, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	transport := &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	r := &rig{t: t, broker: b, metrics: metrics.New(prometheus.NewRegistry()), room: NewRoom(1000)}
	r.cluster = records.NewCluster(&kafka.Client{Addr: kafka.TCP(b.Brokers()...), Transport: transport}, records.Options{})
	t.Cleanup(r.cluster.Close)
	return r
}

// Publish is the dead-letter topic's.
func (r *rig) Publish(_ context.Context, d *deadletter.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse > 0 {
		r.refuse--
		return errors.New("refused")
	}
	r.letters = append(r.letters, d)
	return nil
}

func (r *rig) log() ledger.Partition { return ledger.Partition{Cluster: r.cluster, Topic: topic} }

// follower makes one that begins at an offset.
func (r *rig) follower(begin int64) *Follower {
	f := New(Config{Destination: "d", Group: "g", Source: source, SweepAfter: time.Minute, GiveUpAfter: time.Hour}, Parts{
		Log: r.log(), Events: Source{Cluster: r.cluster, Topic: source}, DeadLetters: r, Room: r.room, Metrics: r.metrics, Logger: zerolog.Nop(),
	})
	f.Begin(begin)
	return f
}

// run runs it until stop, and waits until it has read its log.
func (r *rig) run(f *Follower) (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx, semaphore.NewWeighted(1)) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	r.t.Cleanup(stop)
	r.await(func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.next >= 0 || f.absent })
	return stop
}

func (r *rig) await(ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("it doesn't come")
		}
	}
}

// event puts one into the source and returns where.
func (r *rig) event(id string) Position {
	r.t.Helper()
	base, err := ledger.Partition{Cluster: r.cluster, Topic: source}.Append(r.t.Context(), []ledger.Record{{Key: []byte("user"), Value: fmt.Appendf(nil, `{"messageId":%q}`, id), Time: time.Now()}})
	if err != nil {
		r.t.Fatal(err)
	}
	return Position{Offset: base}
}

func key(id string) []byte { return ledger.AppendKey(nil, "sms", id) }

// accept begins to follow a message.
func (r *rig) accept(f *Follower, id, sid string, at Position) {
	r.t.Helper()
	if err := f.Accepted(r.t.Context(), key(id), Record{SID: sid, MessageID: id, UserID: "u", Action: "sms", Region: "r", To: "+15***567", Position: at, AcceptedAt: time.Now()}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) apply(f *Follower, news ...News) {
	r.t.Helper()
	if err := f.Apply(r.t.Context(), news); err != nil {
		r.t.Fatal(err)
	}
}

func told(id, sid string, s State) News {
	n := News{Key: key(id), SID: sid, Status: s, By: ByCallback, SeenAt: time.Now()}
	if s.Failure() {
		n.Code = 30003
	}
	return n
}

// history is what the topic says, each record's key, SID and status in its order.
func (r *rig) history() (all []string) {
	r.t.Helper()
	_, end, err := r.log().Bounds(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.log().Read(r.t.Context(), 0, end, func(rec ledger.Record) {
		if rec.Value == nil {
			all = append(all, string(rec.Key[4:])+" nothing")
			return
		}
		got, err := ParseRecord(rec.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, fmt.Sprint(string(rec.Key[4:]), " ", got.SID, " ", got.Status))
	}); err != nil {
		r.t.Fatal(err)
	}
	return all
}

func (r *rig) wants(history ...string) {
	r.t.Helper()
	if got := r.history(); fmt.Sprint(got) != fmt.Sprint(history) {
		r.t.Fatalf("the topic says\n%q\nwant\n%q", got, history)
	}
}

func (r *rig) position(f *Follower) int64 {
	f.survey(time.Now(), 10)
	at, ok := f.Position()
	if !ok {
		return -1
	}
	return at
}

// write is somebody else's.
func (r *rig) write(id string, rec Record) {
	r.t.Helper()
	if _, err := r.log().Append(r.t.Context(), []ledger.Record{{Key: key(id), Value: rec.append(nil), Time: time.Now()}}); err != nil {
		r.t.Fatal(err)
	}
}

func TestOnlyWhatGoesForwardIsWritten(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	r.accept(f, "m1", "SM1", r.event("m1"))
	r.accept(f, "m2", "SM2", r.event("m2"))
	r.apply(f, told("m1", "SM1", Accepted), told("m3", "SM3", Delivered), told("m2", "SM1", Delivered), told("m1", "SM2", Failed))
	r.wants("m1 SM1 accepted", "m2 SM2 accepted")
	r.apply(f, told("m1", "SM1", Sent), told("m1", "SM1", Delivered), told("m1", "SM1", Sent))
	r.apply(f, told("m1", "SM1", Sent))
	r.apply(f, told("m1", "SM1", Delivered), told("m2", "SM2", Sent))
	r.wants("m1 SM1 accepted", "m2 SM2 accepted", "m1 SM1 delivered", "m2 SM2 sent")
	if at := r.position(f); at != 3 {
		t.Errorf("the next owner begins at %d, want where m2 is pending", at)
	}
	r.apply(f, told("m2", "SM2", Delivered))
	if at := r.position(f); at != 5 {
		t.Errorf("the next owner begins at %d, want the end", at)
	}
	if n := testutil.ToFloat64(r.metrics.Messages.WithLabelValues("d", "sms", "r", "delivered")); n != 2 {
		t.Errorf("%v were counted as delivered", n)
	}
	if n := testutil.ToFloat64(r.metrics.Messages.WithLabelValues("d", "sms", "r", "sent")); n != 2 {
		t.Errorf("%v were counted as sent", n)
	}
	if len(r.letters) != 0 {
		t.Errorf("letters: %+v", r.letters)
	}
}

// A failure's letter comes before its record, is complete, and is one, though
// news of it is repeated and a success follows.
func TestAFailureLeavesOneDeadLetter(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	at := r.event("m1")
	r.accept(f, "m1", "SM1", at)
	r.refuse = 1
	if err := f.Apply(t.Context(), []News{told("m1", "SM1", Undelivered)}); err == nil {
		t.Fatal("no letter, and no error")
	}
	r.wants("m1 SM1 accepted") // nothing says yet that it failed
	r.apply(f, told("m1", "SM1", Undelivered), told("m1", "SM1", Delivered))
	r.apply(f, told("m1", "SM1", Undelivered))
	r.apply(f, told("m1", "SM1", Failed), told("m1", "SM1", Delivered))
	r.wants("m1 SM1 accepted", "m1 SM1 undelivered", "m1 SM1 failed")
	if len(r.letters) != 1 {
		t.Fatalf("%d letters", len(r.letters))
	}
	d := r.letters[0]
	if string(d.Value) != `{"messageId":"m1"}` || string(d.Key) != "user" || d.Topic != source || d.Offset != at.Offset || d.Reason != "not_delivered" || d.Disposition != deadletter.Undelivered ||
		d.TwilioCode != 30003 || d.TwilioSID != "SM1" || d.MessageID != "m1" || d.UserID != "u" || d.Region != "r" || d.Recipient != "+15***567" || d.Group != "g" || d.Timestamp.IsZero() || d.LastFailedAt.IsZero() {
		t.Errorf("%+v", d)
	}
	if want := (&deadletter.Record{Destination: "d", Action: "sms", MessageID: "m1"}).ID(); d.ID() != want {
		t.Errorf("id %s, want %s", d.ID(), want)
	}
}

// Where the source doesn't have the event any more, or has another in its
// place, the letter says so and has no value.
func TestALetterWithoutItsEvent(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	other := r.event("other")
	r.accept(f, "m1", "SM1", Position{Offset: 99})
	r.accept(f, "m2", "SM2", other)
	r.accept(f, "events/0/77", "SM3", Position{Offset: 98})
	n := told("events/0/77", "SM3", Failed)
	r.apply(f, told("m1", "SM1", Undelivered))
	r.apply(f, told("m2", "SM2", Failed))
	r.apply(f, n)
	if len(r.letters) != 3 {
		t.Fatalf("%d letters", len(r.letters))
	}
	for _, d := range r.letters {
		if d.Value != nil || d.Key != nil || d.Message == "" || d.TwilioSID == "" {
			t.Errorf("%+v", d)
		}
	}
}

// TestEvents: what is read back is the very event; a place that is none any more has
// none, and where that can't be told, nothing is said.
func TestEvents(t *testing.T) {
	r := newRig(t)
	events := Source{Cluster: r.cluster, Topic: source}
	r.event("m0")
	at := r.event("m1")
	r.event("m2")
	if m, err := events.Event(t.Context(), at); err != nil || m == nil || string(m.Value) != `{"messageId":"m1"}` || m.Offset != at.Offset || m.Topic != source {
		t.Errorf("%+v, %v", m, err)
	}
	for _, none := range []int64{-1, 3, 1 << 40} {
		if m, err := events.Event(t.Context(), Position{Offset: none}); m != nil || err != nil {
			t.Errorf("at %d: %+v, %v", none, m, err)
		}
	}
	for _, unknown := range []Source{{r.cluster, "elsewhere"}, events} {
		if m, err := unknown.Event(t.Context(), Position{Partition: 7}); m != nil || err == nil {
			t.Errorf("of a topic or partition that isn't there: %+v, %v", m, err)
		}
	}
}

// The next owner goes on where the one before stopped, from its position on.
func TestTheNextOwnerGoesOn(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	stop := r.run(f)
	for i := range 20 {
		id, sid := fmt.Sprint("m", i), fmt.Sprint("SM", i)
		r.accept(f, id, sid, Position{})
		if i < 10 {
			r.apply(f, told(id, sid, Delivered))
		}
	}
	at := r.position(f)
	if at != 20 {
		t.Fatalf("position %d", at)
	}
	stop()
	f.Close()
	if n := r.room.n.Load(); n != 0 {
		t.Fatalf("%d places are still taken", n)
	}
	for _, begin := range []int64{-1, 0, 13, at} {
		next := r.follower(begin)
		stop := r.run(next)
		if s := next.survey(time.Now(), 100); s.Pending != 10 || next.index.table.Len() != 10 {
			t.Errorf("from %d: %d pending, %d kept", begin, s.Pending, next.index.table.Len())
		}
		stop()
		next.Close()
	}
}

// What a former owner writes late is harmless: what says less than what is known
// is pending again, and what is of an earlier message is put behind.
func TestAFormerOwnerWritesLate(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	r.accept(f, "m1", "SM1", Position{})
	r.accept(f, "m2", "SM2", Position{})
	r.accept(f, "m3", "SM3", Position{})
	r.apply(f, told("m1", "SM1", Delivered))
	r.apply(f, told("m2", "SM2", Sent))
	long := time.Now().Add(-2 * time.Minute)
	r.write("m1", Record{SID: "SM1", Status: Sent, AcceptedAt: long})
	r.write("m2", Record{SID: "SM2", Status: Delivered, AcceptedAt: long})
	r.write("m3", Record{SID: "SM0", Status: Sent, AcceptedAt: long})
	r.write("m9", Record{SID: "SM9", Status: Accepted, AcceptedAt: long})
	r.accept(f, "m4", "SM4", Position{}) // which shows the gap
	r.await(func() bool { return len(r.history()) == 11 })
	if got := r.history()[9:]; fmt.Sprint(got) != "[m4 SM4 accepted m3 SM3 accepted]" {
		t.Errorf("%q", got)
	}
	s := f.survey(time.Now(), 100)
	due, err := f.due(t.Context(), s)
	if err != nil || len(due) != 2 || due[0].Record.SID != "SM1" || due[1].Record.SID != "SM9" || s.Pending != 4 { // m1, m3, m4, m9
		t.Fatalf("%d pending, due %+v, %v", s.Pending, due, err)
	}
	r.apply(f, told("m1", "SM1", Delivered), told("m3", "SM3", Delivered), told("m3", "SM0", Failed))
	if got := r.history()[11:]; fmt.Sprint(got) != "[m1 SM1 delivered m3 SM3 delivered]" {
		t.Errorf("%q", got)
	}
	if len(r.letters) > 0 {
		t.Errorf("%+v", r.letters)
	}
}

// Under one key a later message counts, and what is said of the earlier counts
// for nothing.
func TestALetterIsReplayed(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	stop := r.run(f)
	r.accept(f, "m1", "SM1", r.event("m1"))
	r.apply(f, told("m1", "SM1", Undelivered))
	r.accept(f, "m1", "SM2", Position{})
	r.apply(f, told("m1", "SM1", Delivered), told("m1", "SM1", Failed))
	r.wants("m1 SM1 accepted", "m1 SM1 undelivered", "m1 SM2 accepted")
	stop()
	next := r.follower(-1)
	r.run(next)
	r.apply(next, told("m1", "SM1", Failed), told("m1", "SM2", Delivered))
	r.wants("m1 SM1 accepted", "m1 SM1 undelivered", "m1 SM2 accepted", "m1 SM2 delivered")
	if len(r.letters) != 1 {
		t.Errorf("%d letters", len(r.letters))
	}
}

func TestWithdraw(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	r.accept(f, "m1", "SM1", Position{})
	if err := errors.Join(f.Withdraw(t.Context(), key("m1"), "SM2"), f.Withdraw(t.Context(), key("m2"), "SM1")); err != nil {
		t.Fatal(err)
	}
	r.wants("m1 SM1 accepted")
	if err := f.Withdraw(t.Context(), key("m1"), "SM1"); err != nil {
		t.Fatal(err)
	}
	r.apply(f, told("m1", "SM1", Failed))
	r.wants("m1 SM1 accepted", "m1 nothing")
	next := r.follower(-1)
	r.run(next)
	if s := next.survey(time.Now(), 1); s.Pending != 0 {
		t.Errorf("%d pending", s.Pending)
	}
}

// What has no room waits in the topic, and nothing is forgotten.
func TestMoreThanThereIsRoomFor(t *testing.T) {
	r := newRig(t)
	r.room = NewRoom(8)
	f := r.follower(-1)
	r.run(f)
	for i := range 20 {
		r.accept(f, fmt.Sprint("m", i), fmt.Sprint("SM", i), Position{})
	}
	later := time.Now().Add(2 * time.Minute)
	seen := map[string]bool{}
	for round := 0; len(seen) < 20; round++ {
		if round > 20 {
			t.Fatalf("only %d of 20 were asked for", len(seen))
		}
		due, err := f.due(t.Context(), f.survey(later, 100))
		if err != nil || len(due) > 8 {
			t.Fatalf("%d due, %v", len(due), err)
		}
		if at, _ := f.Position(); at > int64(len(seen)) {
			t.Fatalf("the next owner would begin at %d, and only %d have ended", at, len(seen))
		}
		for _, d := range due {
			seen[d.Record.SID] = true
			r.apply(f, News{Key: d.Key, SID: d.Record.SID, Status: Delivered, By: BySweep, SeenAt: time.Now()})
		}
		f.survey(later.Add(grace), 0) // forgets what has ended
		if err := f.refill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := f.survey(later.Add(grace), 0); s.Pending != 0 || r.room.n.Load() != 0 || f.overflow >= 0 {
		t.Errorf("%d pending, %d places taken, from %d on", s.Pending, r.room.n.Load(), f.overflow)
	}
}

// Without a topic messages are sent all the same; once it is there, those that
// come are followed.
func TestWithoutATopic(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.broker.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	f := r.follower(5)
	r.run(f)
	r.accept(f, "m1", "SM1", Position{})
	r.apply(f, told("m1", "SM1", Failed))
	if len(r.letters) > 0 || r.position(f) != -1 {
		t.Errorf("letters %+v, position %d", r.letters, r.position(f))
	}
	if err := r.broker.CreateTopic(topic, 1, nil); err != nil {
		t.Fatal(err)
	}
	r.await(func() bool { return !f.isAbsent() })
	r.accept(f, "m2", "SM2", Position{})
	r.wants("m2 SM2 accepted")
}

// A record that lies far behind is written again, unchanged.
func TestWhatHoldsTheNextOwnerUpIsCarried(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	r.accept(f, "m1", "SM1", Position{})
	due, err := f.due(t.Context(), f.survey(time.Now().Add(2*time.Minute), 10))
	if err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	f.asked(due, time.Now().Add(2*time.Minute))
	r.wants("m1 SM1 accepted")
	f.mu.Lock()
	f.next += carryBehind + 1 // as if as many records were behind it
	f.mu.Unlock()
	due, err = f.due(t.Context(), f.survey(time.Now().Add(10*time.Minute), 10))
	if err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	f.asked(due, time.Now().Add(10*time.Minute))
	r.await(func() bool { return len(r.history()) == 2 })
	r.wants("m1 SM1 accepted", "m1 SM1 accepted")
}

// Callers at once, with the race detector.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	at := r.event("any")
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			id, sid := fmt.Sprint("m", i), fmt.Sprint("SM", i)
			if err := f.Accepted(t.Context(), key(id), Record{SID: sid, Position: at, AcceptedAt: time.Now()}); err != nil {
				t.Error(err)
				return
			}
			end := Delivered
			if i%5 == 0 {
				end = Failed
			}
			var each sync.WaitGroup
			for _, s := range []State{end, Sent, end} {
				each.Go(func() {
					if err := f.Apply(t.Context(), []News{told(id, sid, s)}); err != nil {
						t.Error(err)
					}
				})
			}
			each.Wait()
		})
	}
	wg.Wait()
	last := map[string]string{}
	for _, line := range r.history() {
		var id, sid, s string
		fmt.Sscan(line, &id, &sid, &s)
		last[id] = s
	}
	for i := range 60 {
		want := "delivered"
		if i%5 == 0 {
			want = "failed"
		}
		if got := last[fmt.Sprint("m", i)]; got != want {
			t.Errorf("m%d is %s, want %s", i, got, want)
		}
	}
	if len(r.letters) != 12 {
		t.Errorf("%d letters for 12 failures", len(r.letters))
	}
}
