package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"

	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/metrics"
)

// writes has the broker answer so many writes to the status topic with an error.
func (r *rig) writes(err *kerr.Error, n int) {
	r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: err, Count: n})
}

// TestAWriteIsTriedAgain, until Kafka has it; nobody is told before.
func TestAWriteIsTriedAgain(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	r.writes(kerr.NotEnoughReplicas, 5) // of which the log tells
	r.accept(f, "m1", "SM1", Position{})
	r.wants("m1 SM1 accepted")
}

// TestAnAcknowledgementIsLost: what was written twice is known where it counts, and goes on
// from there.
func TestAnAcknowledgementIsLost(t *testing.T) {
	r := newRig(t)
	f := r.follower(-1)
	r.run(f)
	r.writes(kerr.RequestTimedOut, 1) // which is applied
	r.accept(f, "m1", "SM1", r.event("m1"))
	r.wants("m1 SM1 accepted", "m1 SM1 accepted")
	r.writes(kerr.RequestTimedOut, 1)
	r.apply(f, told("m1", "SM1", Undelivered))
	r.wants("m1 SM1 accepted", "m1 SM1 accepted", "m1 SM1 undelivered", "m1 SM1 undelivered")
	if s := f.survey(time.Now(), 10); s.Pending != 0 || len(r.letters) != 1 || r.position(f) != 4 {
		t.Errorf("%d pending, %d letters, position %d", s.Pending, len(r.letters), r.position(f))
	}
}

// TestARecordIsRefused: of a page only the one that is to blame isn't followed; its
// delivery goes on.
func TestARecordIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{refuses: "m2"}
		f := inMemory(m, 100)
		if err := f.restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		var accepting sync.WaitGroup
		for i := range 7 {
			accepting.Go(func() {
				if err := f.Accepted(t.Context(), key(fmt.Sprint("m", i)), Record{SID: fmt.Sprint("SM", i)}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // all of them are on one page
		stop := running(f.journal.Run)
		accepting.Wait()
		stop()
		if s := f.survey(time.Now(), 10); s.Pending != 6 || len(m.records) != 6 {
			t.Errorf("%d pending, %d records", s.Pending, len(m.records))
		}
		if _, ok := f.find(key("m2"), "SM2"); ok {
			t.Error("what couldn't be written is followed")
		}
	})
}

// running runs something until stop.
func running(run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	return func() { cancel(); <-done }
}

// TestWhoWaitsIsToldOfTheEnd: the owner's end, and the caller's own.
func TestWhoWaitsIsToldOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{hangs: make(chan struct{}, 1)}
		f := inMemory(m, 100)
		stop := running(func(ctx context.Context) { f.Run(ctx, semaphore.NewWeighted(1)) })
		told := make(chan error, 2)
		accept := func(id string) { told <- f.Accepted(t.Context(), key(id), Record{SID: id}) }
		go accept("m1")
		<-m.hangs // it is being written
		go accept("m2")
		synctest.Wait()
		ended, end := context.WithCancel(t.Context())
		end()
		if err := f.Accepted(ended, key("m3"), Record{SID: "SM3"}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		stop()
		for range 2 {
			if err := <-told; !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		}
	})
}

// memory is a topic in memory, for what only time shows. It is safe for concurrent use.
type memory struct {
	mu      sync.Mutex
	records []ledger.Record // by offset; without a key: compacted away
	gone    bool
	fails   int           // reads
	hangs   chan struct{} // of size one: told of a write, which then hangs; nil: none does
	refuses string        // the record of this id
}

func (m *memory) Bounds(context.Context) (first, end int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return 0, 0, kafka.UnknownTopicOrPartition
	}
	return 0, int64(len(m.records)), nil
}

func (m *memory) Read(_ context.Context, from, end int64, each func(ledger.Record)) error {
	m.mu.Lock()
	if m.fails > 0 {
		m.fails--
		m.mu.Unlock()
		return errors.New("no answer")
	}
	span := slices.Clone(m.records[from:end])
	m.mu.Unlock()
	for i, r := range span {
		if r.Offset = from + int64(i); r.Key != nil {
			each(r)
		}
	}
	return nil
}

func (m *memory) Append(ctx context.Context, records []ledger.Record) (base int64, err error) {
	if m.hangs != nil {
		select {
		case m.hangs <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return 0, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return 0, kafka.UnknownTopicOrPartition
	}
	if m.refuses != "" && slices.ContainsFunc(records, func(r ledger.Record) bool { return bytes.Equal(r.Key, key(m.refuses)) }) {
		return 0, kafka.MessageSizeTooLarge
	}
	base = int64(len(m.records))
	for _, r := range records {
		m.records = append(m.records, ledger.Record{Key: r.Key, Value: bytes.Clone(r.Value)})
	}
	return base, nil
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// inMemory is a follower of a topic in memory.
func inMemory(m *memory, room int) *Follower {
	return New(Config{Destination: "d", Source: source, SweepAfter: time.Minute, GiveUpAfter: time.Hour}, Parts{
		Log: m, Room: NewRoom(room), Metrics: metrics.New(prometheus.NewRegistry()), Logger: zerolog.Nop(), DeadLetters: lettersTo(nil),
	})
}

// lettersTo takes letters.
type lettersTo func(*deadletter.Record)

func (to lettersTo) Publish(_ context.Context, d *deadletter.Record) error {
	if to != nil {
		to(d)
	}
	return nil
}

func accepted(m *memory, id, sid string, s State, at time.Time) {
	m.records = append(m.records, ledger.Record{Key: key(id), Value: (&Record{SID: sid, Status: s, MessageID: id, AcceptedAt: at}).append(nil)})
}

// TestTheTopicGoes: for half a minute writes wait for it; then the messages aren't followed,
// and their deliveries go on. Once it is there again, those that come then are.
func TestTheTopicGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		f := inMemory(m, 100)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.Run(ctx, semaphore.NewWeighted(1)) }()
		accept := func(id string) error { return f.Accepted(ctx, key(id), Record{SID: id, AcceptedAt: time.Now()}) }
		if err := accept("m1"); err != nil {
			t.Fatal(err)
		}
		m.set(func() { m.gone = true })
		began := time.Now()
		if err := accept("m2"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < missingFor || took > missingFor+5*time.Second {
			t.Errorf("the topic counted as gone after %v", took)
		}
		if err := errors.Join(accept("m3"), f.Apply(ctx, []News{told("m1", "m1", Delivered)})); err != nil || time.Since(began) > missingFor+5*time.Second {
			t.Errorf("a message waits for a topic that is gone: %v", err)
		}
		if at, ok := f.Position(); ok || f.survey(time.Now(), 1).Pending != 0 {
			t.Errorf("position %d of a topic that is gone", at)
		}
		m.set(func() { m.gone, m.records = false, nil })
		time.Sleep(lookAgain + time.Second)
		if err := accept("m4"); err != nil || len(m.records) != 1 {
			t.Errorf("%d records, %v", len(m.records), err)
		}
		cancel()
		<-done
	})
}

// TestReadingIsTriedAgain: and news waits meanwhile.
func TestReadingIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{fails: 4}
		accepted(m, "m1", "SM1", Accepted, time.Now())
		f := inMemory(m, 100)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		short, end := context.WithTimeout(ctx, time.Millisecond)
		defer end()
		go func() { defer close(done); f.Run(ctx, semaphore.NewWeighted(1)) }()
		if err := f.Apply(short, []News{told("m1", "SM1", Sent)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("news before the log is read: %v", err)
		}
		if err := f.Apply(ctx, []News{told("m1", "SM1", Delivered)}); err != nil || len(m.records) != 2 {
			t.Errorf("%d records, %v", len(m.records), err)
		}
		cancel()
		<-done
	})
}

// TestWhatCantBeReadIsPassedOver: a record of something else, and one that compaction took
// while it was pending.
func TestWhatCantBeReadIsPassedOver(t *testing.T) {
	m := &memory{}
	long := time.Now().Add(-2 * time.Minute)
	accepted(m, "m1", "SM1", Accepted, long)
	m.records = append(m.records, ledger.Record{Key: key("m2"), Value: []byte("2 a later version's")}, ledger.Record{Key: key("m3")})
	accepted(m, "m4", "SM4", Accepted, long)
	f := inMemory(m, 100)
	if err := f.restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.records[0].Key = nil // compacted away
	s := f.survey(time.Now(), 10)
	if s.Pending != 2 || len(s.due) != 2 {
		t.Fatalf("%+v", s)
	}
	m.fails = 1
	if due, err := f.due(t.Context(), s); err == nil {
		t.Errorf("%+v were read of a topic that can't be read", due)
	}
	due, err := f.due(t.Context(), s)
	if err != nil || len(due) != 1 || due[0].Record.SID != "SM4" {
		t.Fatalf("%+v, %v", due, err)
	}
	if s = f.survey(time.Now(), 10); s.Pending != 1 {
		t.Errorf("%d pending: what isn't in the topic any more is forgotten", s.Pending)
	}
	if at, _ := f.Position(); at != 3 {
		t.Errorf("the next owner begins at %d", at)
	}
}

// TestRoomIsFilledAgain: what has no room is read in once there is some, also when reading
// fails at first; until then the next owner begins before it.
func TestRoomIsFilledAgain(t *testing.T) {
	m := &memory{}
	for i := range 12 {
		accepted(m, fmt.Sprint("m", i), fmt.Sprint("SM", i), Accepted, time.Now())
	}
	f := inMemory(m, 4)
	if err := errors.Join(f.restore(t.Context()), f.refill(t.Context())); err != nil {
		t.Fatal(err)
	}
	if s := f.survey(time.Now(), 10); s.Pending != 4 || f.overflow != 4 {
		t.Fatalf("%d pending, the rest from %d on", s.Pending, f.overflow)
	}
	for i := range 2 { // they ended
		e, _ := f.find(key(fmt.Sprint("m", i)), fmt.Sprint("SM", i))
		f.forget(e)
	}
	m.fails = 1
	if err := f.refill(t.Context()); err == nil || f.overflow != 4 {
		t.Errorf("%v, the rest from %d on", err, f.overflow)
	}
	if err := f.refill(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.survey(time.Now(), 10)
	if at, _ := f.Position(); f.overflow != 6 || at != 2 || f.parts.Room.n.Load() != 4 {
		t.Errorf("the rest from %d on, the next owner begins at %d, %d places are taken", f.overflow, at, f.parts.Room.n.Load())
	}
}

// TestNewsThatIsOvertaken: a record that is written again meanwhile is merged anew; where
// that happens over and over the news is to come again.
func TestNewsThatIsOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		accepted(m, "m1", "SM1", Accepted, time.Now())
		f := inMemory(m, 10)
		if err := f.restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, times := range []int{1, applyTries} {
			answered := make(chan error, 1)
			go func() { answered <- f.Apply(t.Context(), []News{told("m1", "SM1", Sent+State(times/applyTries)*2)}) }()
			for range times {
				synctest.Wait()
				if n := f.journal.Answer(errOvertaken); n != 1 {
					t.Errorf("%d records wait", n)
				}
			}
			if times < applyTries {
				synctest.Wait()
				stop := running(f.journal.Run)
				synctest.Wait()
				stop()
			}
			if err := <-answered; errors.Is(err, errOvertaken) != (times == applyTries) {
				t.Errorf("overtaken %d times: %v", times, err)
			}
		}
		if len(m.records) != 2 {
			t.Errorf("%d records", len(m.records))
		}
	})
}

// TestAnEventsIdentity: whether an event is the message's, where its id is written as JSON
// may write it, and where what is unknown of an event comes from.
func TestAnEventsIdentity(t *testing.T) {
	for _, c := range []struct {
		event, id string
		want      bool
	}{
		{`{"messageId":"m-1"}`, "m-1", true}, {`{"messageId":"m-2"}`, "m-1", false}, {`{"messageId":"a\u0026b"}`, "a&b", true}, {`{"messageId":"\u00fc"}`, "ü", true}, {`{}`, "", true},
	} {
		if got := isOf([]byte(c.event), c.id); got != c.want {
			t.Errorf("%s, %q: %v", c.event, c.id, got)
		}
	}
	if got := originOf(ledger.AppendKey(nil, "sms", "events/3/7"), ""); got != "events/3/7" {
		t.Errorf("the event of a position appeared at %q", got)
	}
	if got := originOf(key("m1"), "m1"); got != "" {
		t.Errorf("an event with a messageId appeared at %q", got)
	}
}
