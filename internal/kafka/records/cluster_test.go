package records

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

var little = Bytes{Answer: 16 << 10, Block: 4 << 10}

// write writes n records to a partition of a topic.
func (p *site) write(topic string, partition, n int) {
	p.t.Helper()
	rs := make([]kafka.Record, n)
	for i := range rs {
		rs[i].Value = kafka.NewBytes(make([]byte, 500))
	}
	res, err := p.client.Produce(p.t.Context(), &kafka.ProduceRequest{Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(rs...)})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// upTo reads a Log from an offset to another, each offset once.
func upTo(ctx context.Context, l *Log, from, end int64) error {
	for from < end {
		block, err := l.Next(ctx)
		for _, r := range block {
			if r.Offset != from || len(r.Value) != 500 {
				return fmt.Errorf("offset %d with %d bytes instead of %d", r.Offset, len(r.Value), from)
			}
			from++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestManyPartitionsShareAFetch: sixteen partitions are read by few requests,
// also while they wait for more, and each record comes though all wait.
func TestManyPartitionsShareAFetch(t *testing.T) {
	const partitions = 16
	p := newSite(t, kfake.SeedTopics(partitions, "many"))
	var fetches, places atomic.Int64
	p.broker.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.broker.KeepControl()
		fetches.Add(1)
		for _, topic := range req.(*kmsg.FetchRequest).Topics {
			places.Add(int64(len(topic.Partitions)))
		}
		return nil, nil, false
	})
	const rounds = 10
	var reading sync.WaitGroup
	for i := range partitions {
		reading.Go(func() {
			l := p.all.Open("many", i, 0, little)
			defer l.Close()
			if err := upTo(t.Context(), l, 0, rounds*10); err != nil {
				t.Error(err)
			}
			if l.End() < rounds*10 || l.Start() != 0 {
				t.Errorf("the log is [%d, %d)", l.Start(), l.End())
			}
		})
	}
	for range rounds {
		for i := range partitions {
			p.write("many", i, 10)
		}
	}
	reading.Wait()
	if fetches.Load() >= places.Load() {
		t.Errorf("%d fetches for %d partitions' places: they aren't shared", fetches.Load(), places.Load())
	}
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	if p.all.held != 0 {
		t.Errorf("%d bytes are held by nobody", p.all.held)
	}
}

// TestABrokersPauseIsHeeded: an answer without partitions and with a time to
// wait is no error, and nothing is asked for so long.
func TestABrokersPauseIsHeeded(t *testing.T) {
	p := newSite(t)
	p.write(topic, 0, 10)
	var throttled []time.Duration
	all := NewCluster(p.client, Options{Throttled: func(d time.Duration) { throttled = append(throttled, d) }})
	defer all.Close()
	const pause = 300 * time.Millisecond
	var asked []time.Time // guarded by the broker, which calls one at a time
	p.broker.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.broker.KeepControl()
		if asked = append(asked, time.Now()); len(asked) > 2 {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.FetchResponse)
		res.ThrottleMillis = int32(pause.Milliseconds())
		return res, nil, true
	})
	l := all.Open(topic, 0, 0, little)
	defer l.Close()
	if err := upTo(t.Context(), l, 0, 10); err != nil {
		t.Fatal(err)
	}
	all.Close()
	if len(throttled) != 2 || throttled[0] != pause || len(asked) < 3 {
		t.Fatalf("throttled for %v, asked %d times", throttled, len(asked))
	}
	for i := range 2 {
		if d := asked[i+1].Sub(asked[i]); d < pause {
			t.Errorf("asked again after %v", d)
		}
	}
}

// TestEachPartitionGetsItsOwnError: beside it, the others are read.
func TestEachPartitionGetsItsOwnError(t *testing.T) {
	p := newSite(t, kfake.SeedTopics(2, "two"))
	p.write(topic, 0, 10)
	p.write("two", 1, 10)
	var reading sync.WaitGroup
	for _, c := range []struct {
		topic     string
		partition int
		offset    int64
		want      error
	}{
		{topic, 0, 0, nil},
		{"two", 1, 0, nil},
		{"two", 1, 11, kafka.OffsetOutOfRange},
		{"two", 2, 0, kafka.UnknownTopicOrPartition},
		{"three", 0, 0, kafka.UnknownTopicOrPartition},
	} {
		reading.Go(func() {
			l := p.all.Open(c.topic, c.partition, c.offset, little)
			defer l.Close()
			if err := upTo(t.Context(), l, c.offset, c.offset+10); !errors.Is(err, c.want) {
				t.Errorf("%s/%d from %d: %v, want %v", c.topic, c.partition, c.offset, err, c.want)
			}
		})
	}
	reading.Wait()
}

// TestMuchIsHeldAtATime: Logs that keep what they fetched hold others up when
// there is no more room, and until one gives up.
func TestMuchIsHeldAtATime(t *testing.T) {
	p := newSite(t)
	p.write(topic, 0, 100)
	p.all.mu.Lock()
	p.all.held = heldBytes
	p.all.mu.Unlock()
	done := make(chan error)
	l := p.all.Open(topic, 0, 0, little)
	defer l.Close()
	go func() { done <- upTo(t.Context(), l, 0, 100) }()
	for starved := false; !starved; time.Sleep(time.Millisecond) {
		p.all.mu.Lock()
		starved = p.all.starved
		p.all.mu.Unlock()
	}
	p.all.give(answer{batches: make([]byte, heldBytes)})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestCloseEndsAllReading: that waits at a broker, for a leader, or begins later.
func TestCloseEndsAllReading(t *testing.T) {
	p := newSite(t, kfake.SeedTopics(8, "many"))
	all := NewCluster(p.client, Options{})
	var reading sync.WaitGroup
	for i := range 8 {
		reading.Go(func() {
			l := all.Open("many", i, 0, little)
			defer l.Close()
			for range 2 {
				if _, err := l.Next(t.Context()); !errors.Is(err, errClosed) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	for waiting := 0; waiting < 8; time.Sleep(time.Millisecond) {
		all.mu.Lock()
		waiting = 0
		for _, b := range all.brokers {
			if b.polls > 0 {
				waiting = 8
			}
		}
		all.mu.Unlock()
	}
	all.Close()
	reading.Wait()
}

// TestWhateverReadersDo: they give up while they wait, jump, come back, and
// connections are cut under them; what they read is the log.
func TestWhateverReadersDo(t *testing.T) {
	const partitions, records = 4, 200
	p := newSite(t, kfake.SeedTopics(partitions, "many"))
	for i := range partitions {
		p.write("many", i, records)
	}
	var cuts atomic.Int64
	p.broker.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		p.broker.KeepControl()
		if cuts.Add(-1) >= 0 {
			return nil, errors.New("connection cut"), true
		}
		return nil, nil, false
	})
	type step struct {
		Wait time.Duration // 0: as long as it takes
		To   int64         // where to jump first; -1: nowhere
		Cut  int64
	}
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Wait: time.Duration(rapid.IntRange(0, 3).Draw(t, "wait")) * time.Millisecond,
			To:   int64(rapid.SampledFrom([]int{-1, -1, -1, 0, 50, records - 1, records}).Draw(t, "to")),
			Cut:  int64(rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(t, "cut")),
		}
	}), 1, 8)
	rapid.Check(t, func(rt *rapid.T) {
		all := NewCluster(p.client, Options{})
		defer all.Close()
		var reading sync.WaitGroup
		for i := range partitions {
			plan := steps.Draw(rt, "steps")
			reading.Go(func() {
				l := all.Open("many", i, 0, little)
				defer l.Close()
				for _, s := range plan {
					if s.To >= 0 {
						l.SeekTo(s.To)
					}
					cuts.Store(s.Cut)
					ctx, cancel := context.WithTimeout(t.Context(), s.Wait)
					if s.Wait == 0 && l.Offset() < records {
						cancel()
						ctx, cancel = context.WithCancel(t.Context())
					}
					from := l.Offset()
					block, err := l.Next(ctx)
					for _, r := range block {
						if r.Offset != from || len(r.Value) != 500 {
							t.Errorf("offset %d with %d bytes instead of %d", r.Offset, len(r.Value), from)
						}
						from++
					}
					if l.Offset() != from || err == nil && len(block) == 0 {
						t.Errorf("at %d after %d (%v)", l.Offset(), from, err)
					}
					cancel()
				}
			})
		}
		reading.Wait()
	})
}
