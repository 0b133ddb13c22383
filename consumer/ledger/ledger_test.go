package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/kafka/records"
	"engage-worker/internal/sim/embedded"
)

const topic = "events.test.ledger"

func start(tb testing.TB) (*embedded.Broker, *records.Cluster) {
	tb.Helper()
	b, err := embedded.Start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	if err := b.CreateTopic(topic, 2, nil); err != nil {
		tb.Fatal(err)
	}
	transport := &kafka.Transport{MetadataTTL: 200 * time.Millisecond}
	tb.Cleanup(transport.CloseIdleConnections)
	c := records.NewCluster(&kafka.Client{Addr: kafka.TCP(b.Brokers()...), Transport: transport}, records.Options{})
	tb.Cleanup(c.Close)
	return b, c
}

// lastOf are the last entries of the log's keys.
func lastOf(t *testing.T, c *records.Cluster) map[string]Entry {
	t.Helper()
	last := map[string]Entry{}
	from, end, err := c.Bounds(t.Context(), topic, 1)
	if err != nil {
		t.Fatal(err)
	}
	scanner := records.Scanner{Cluster: c, MaxBytes: 1 << 20}
	if err := scanner.Scan(t.Context(), records.Span{Topic: topic, Partition: 1, From: from, End: end}, func(block []records.Record) error {
		for _, r := range block {
			e, err := ParseEntry(r.Value)
			if err != nil {
				return err
			}
			last[string(r.Key)] = e
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return last
}

// open makes a ledger that has read its log and is being written.
func open(tb testing.TB, c *records.Cluster) *Ledger {
	tb.Helper()
	l := New(Config{Retention: time.Hour, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: 1})
	if _, err := l.Restore(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	run(tb, l)
	return l
}

func run(tb testing.TB, l *Ledger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	stop = func() { cancel(); <-done }
	tb.Cleanup(stop)
	return stop
}

func key(n int) []byte { return AppendKey(nil, "sms", fmt.Sprint("m-", n)) }

func (l *Ledger) must(t *testing.T, key []byte, e Entry) {
	t.Helper()
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if err := l.Append(t.Context(), key, e); err != nil {
		t.Fatal(err)
	}
}

func TestANewOwnerKnowsWhatTheFormerWrote(t *testing.T) {
	_, c := start(t)
	former := open(t, c)
	var all sync.WaitGroup
	for n := range 300 {
		all.Go(func() {
			former.must(t, key(n), Entry{State: Intent, Position: Position{1, int64(n)}})
			if n%3 == 0 {
				former.must(t, key(n), Entry{State: Sent, SID: fmt.Sprint("SM", n), Position: Position{1, int64(n)}})
			}
		})
	}
	all.Wait()
	next := New(Config{Retention: time.Hour, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: 1})
	if n, err := next.Restore(t.Context()); n != 400 || err != nil {
		t.Fatalf("read %d records, %v; want 400", n, err)
	}
	for n := range 300 {
		e, ok := next.Get(key(n))
		want := Intent
		if n%3 == 0 {
			want = Sent
		}
		if !ok || e.State != want || e.Position != (Position{1, int64(n)}) || next.Claimed(fmt.Sprint("SM", n)) != (want == Sent) {
			t.Fatalf("entry %d: %+v, %t", n, e, ok)
		}
	}
	if next.Len() != 300 {
		t.Fatalf("%d entries", next.Len())
	}
}

func TestAnOwnerThatStaysReadsOnlyWhatIsNew(t *testing.T) {
	_, c := start(t)
	l := New(Config{Retention: time.Hour, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: 1})
	if _, err := l.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := run(t, l)
	for n := range 20 {
		l.must(t, key(n), Entry{State: Sent})
	}
	stop()
	if n, err := l.Restore(t.Context()); n != 0 || err != nil {
		t.Fatalf("read %d of its own records again, %v", n, err)
	}
	other := open(t, c)
	other.must(t, key(100), Entry{State: Sent})
	if n, err := l.Restore(t.Context()); n != 1 || err != nil {
		t.Fatalf("read %d records, %v; another wrote one", n, err)
	}
	if e, ok := l.Get(key(100)); !ok || e.State != Sent {
		t.Fatalf("%+v, %t", e, ok)
	}
}

// TestALateIntentDoesNotHideAnOutcome: a former owner's intent lands behind
// the new owner's outcome, and compaction then takes the outcome away. The
// owner notices the foreign record and writes the outcome again.
func TestALateIntentDoesNotHideAnOutcome(t *testing.T) {
	_, c := start(t)
	former, owner := open(t, c), open(t, c)
	at := time.Unix(time.Now().Unix(), 0) // an outcome is known to the second
	owner.must(t, key(1), Entry{State: Sent, SID: "SM1", Time: at, Position: Position{1, 7}})
	former.must(t, key(1), Entry{State: Intent}) // it doesn't know better
	owner.must(t, key(2), Entry{State: Sent})    // finds a gap before its own
	deadline := time.Now().Add(10 * time.Second)
	for {
		last := lastOf(t, c)[string(key(1))]
		if last == (Entry{State: Sent, SID: "SM1", Time: at, Position: Position{1, 7}}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the last record of the delivery still is %+v", last)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestWritesAreTriedAgainUntilTheyWork(t *testing.T) {
	b, c := start(t)
	l := open(t, c)
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: 3},
		// Applied, and not acknowledged: it will be there twice.
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.RequestTimedOut, Count: 1})
	l.must(t, key(1), Entry{State: Sent, SID: "SM1"})
	l.must(t, key(2), Entry{State: Intent})
	next := New(Config{Retention: time.Hour, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: 1})
	if n, err := next.Restore(t.Context()); n != 3 || err != nil {
		t.Fatalf("%d records, %v; want the first twice", n, err)
	}
	if e, _ := next.Get(key(1)); e.State != Sent || !next.Claimed("SM1") {
		t.Fatalf("%+v", e)
	}
}

func TestAppendEndsWithItsContextAndWithRun(t *testing.T) {
	b, c := start(t)
	l := New(Config{Retention: time.Hour, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: 1})
	stop := run(t, l)
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Append(ctx, key(1), Entry{State: Intent, Time: time.Now()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	failed := make(chan error, 1)
	go func() {
		failed <- l.Append(context.Background(), key(2), Entry{State: Intent, Time: time.Now()})
	}()
	time.Sleep(20 * time.Millisecond)
	stop()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if _, ok := l.Get(key(1)); ok {
		t.Fatal("an entry is known that isn't written")
	}
}

func TestARecordThatIsNoEntryIsPassedOver(t *testing.T) {
	_, c := start(t)
	for _, r := range []kafka.Record{
		{Key: kafka.NewBytes(key(1)), Value: kafka.NewBytes([]byte("9 from the future"))},
		{Key: kafka.NewBytes(key(2)), Value: nil},
		{Key: nil, Value: kafka.NewBytes(Entry{State: Sent, Time: time.Now()}.AppendValue(nil))},
		{Key: kafka.NewBytes(key(3)), Value: kafka.NewBytes(Entry{State: Sent, Time: time.Now()}.AppendValue(nil))},
	} {
		res, err := c.Client.Produce(t.Context(), &kafka.ProduceRequest{Topic: topic, Partition: 1, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(r)})
		if err != nil || res.Error != nil {
			t.Fatal(err)
		}
	}
	l := New(Config{Retention: time.Hour, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: 1})
	if n, err := l.Restore(t.Context()); n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if _, ok := l.Get(key(3)); !ok {
		t.Fatal("the entry behind them isn't known")
	}
}

// BenchmarkRestore reads a log of a million records.
func BenchmarkRestore(b *testing.B) {
	_, c := start(b)
	const n = 1_000_000
	w := &kafka.Writer{Addr: c.Client.Addr, Transport: c.Client.Transport, Topic: topic, RequiredAcks: kafka.RequireAll, BatchSize: 5000, BatchBytes: 4 << 20, BatchTimeout: time.Millisecond,
		Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return 1 })}
	batch := make([]kafka.Message, 0, 50_000)
	for i := range n {
		batch = append(batch, kafka.Message{Key: key(i), Value: Entry{State: Sent, SID: fmt.Sprintf("SM%032x", i), Time: time.Now(), Position: Position{1, int64(i)}, Generation: 1}.AppendValue(nil)})
		if len(batch) == cap(batch) || i == n-1 {
			if err := w.WriteMessages(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	w.Close()
	for b.Loop() {
		l := New(Config{Retention: 7 * 24 * time.Hour, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: 1})
		start := time.Now()
		if read, err := l.Restore(b.Context()); read != n || err != nil {
			b.Fatal(read, err)
		}
		b.ReportMetric(n/time.Since(start).Seconds(), "records/s")
	}
}

func BenchmarkAppend(b *testing.B) {
	_, c := start(b)
	l := open(b, c)
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if err := l.Append(b.Context(), key(n), Entry{State: Intent, Time: time.Now()}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestARecordBehindTheEndIsReadLater: what a former owner's late write adds
// while the log is being read isn't passed over.
func TestARecordBehindTheEndIsReadLater(t *testing.T) {
	_, c := start(t)
	former := open(t, c)
	former.must(t, key(1), Entry{State: Intent})
	l := New(Config{Retention: time.Hour, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: 1})
	former.must(t, key(2), Entry{State: Sent, SID: "SM2"})
	// The log ended at 1 when the reader asked.
	var read []string
	if n, err := l.read(t.Context(), 0, 1, func(recordKey []byte, _ Entry) { read = append(read, string(recordKey)) }); n != 1 || err != nil || !slices.Equal(read, []string{string(key(1))}) {
		t.Fatalf("read %d records, %q, %v; want the one before the end", n, read, err)
	}
	l.next = 1
	if n, err := l.Restore(t.Context()); n != 1 || err != nil || !l.Claimed("SM2") {
		t.Fatalf("read %d records, %v; want the other one", n, err)
	}
}

// TestALogMadeAnewIsRead: a log that ends before what is known is another one.
func TestALogMadeAnewIsRead(t *testing.T) {
	_, c := start(t)
	l := open(t, c)
	l.mu.Lock()
	l.next = 100
	l.mu.Unlock()
	open(t, c).must(t, key(1), Entry{State: Sent})
	if n, err := l.Restore(t.Context()); n != 1 || err != nil {
		t.Fatalf("read %d records, %v; want the one", n, err)
	}
}

// TestAFormerOwnersRefusalIsOverruled: it lands behind the new owner's intent,
// whose outcome nobody knows. Whoever comes next still finds the intent, also
// after compaction.
func TestAFormerOwnersRefusalIsOverruled(t *testing.T) {
	_, c := start(t)
	former, owner := open(t, c), open(t, c)
	intent := Entry{State: Intent, Time: time.UnixMilli(time.Now().UnixMilli()), Position: Position{1, 7}, Generation: 2, Tags: Tags{Recipient: 1, Body: 2}}
	owner.must(t, key(1), intent)
	former.must(t, key(1), Entry{State: Refused, Generation: 1})
	next := open(t, c)
	if e, _ := next.Get(key(1)); e.State != Intent {
		t.Errorf("the next owner finds %v", e.State)
	}
	owner.must(t, key(2), Entry{State: Sent, Generation: 2}) // finds the foreign record
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		last := lastOf(t, c)
		if last[string(key(1))] == intent {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the last record of the delivery is %+v, want %+v", last[string(key(1))], intent)
		}
	}
}

// TestTheFirstSIDCounts: of two under which a delivery is said to have been
// sent. The other stays free for whose it is, after compaction too.
func TestTheFirstSIDCounts(t *testing.T) {
	_, c := start(t)
	former, owner := open(t, c), open(t, c)
	at := time.Unix(time.Now().Unix(), 0)
	first := Entry{State: Sent, SID: "SM1", Time: at, Position: Position{1, 7}}
	former.must(t, key(1), first)
	second := first
	second.SID = "SM2"
	if err := owner.Append(t.Context(), key(1), second); !errors.Is(err, ErrClaimed) {
		t.Fatalf("another SID was taken: %v", err)
	}
	former.must(t, key(1), first) // once more, as after a lost acknowledgement
	owner.must(t, key(2), second) // whose it is
	for deadline := time.Now().Add(10 * time.Second); lastOf(t, c)[string(key(1))] != first; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the last record of the delivery is %+v", lastOf(t, c)[string(key(1))])
		}
	}
	next := open(t, c)
	for n := 1; n <= 2; n++ {
		if e, ok := next.Get(key(n)); !ok || e.State != Sent || !next.Claimed(fmt.Sprint("SM", n)) {
			t.Errorf("delivery %d: %+v, %t", n, e, ok)
		}
	}
}
