package intake

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
)

// reading is a stream that runs until the test ends.
type reading struct {
	*Stream
	taken chan *Event
}

func read(t *testing.T, c *records.Cluster, partition, maxUncommitted int) *reading {
	t.Helper()
	return readConfig(t, c, Config{Shard: partition, Offset: -1, MaxUncommitted: maxUncommitted})
}

func readFrom(t *testing.T, c *records.Cluster, offset int64) *reading {
	t.Helper()
	return readConfig(t, c, Config{Offset: offset, MaxUncommitted: 100})
}

func readConfig(t *testing.T, c *records.Cluster, cfg Config) *reading {
	t.Helper()
	cfg.Destination, cfg.Topic, cfg.Name = "d", topic, "source"
	m := metrics.New(prometheus.NewRegistry())
	r := &reading{taken: make(chan *Event, 100_000)} // more than there are
	r.Stream = New(cfg, Parts{
		Cluster: c, Matcher: matching{}, Actions: []string{"a"}, Budget: NewBudget(1<<40, m.OpenBytes), Metrics: m, Log: zerolog.Nop(),
		Submit: func(ev *Event) { r.taken <- ev },
	})
	if err := r.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { r.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return r
}

func settle(ev *Event) {
	ev.Settled()
	ev.Release()
}

// TestAFullStreamHoldsNoOtherUp: one whose events aren't settled stops at its
// bound; the other partitions of the same broker are read to their ends.
func TestAFullStreamHoldsNoOtherUp(t *testing.T) {
	c := start(t, 4)
	for p := range 4 {
		for range 5 {
			put(t, c, p, 1000, wanted)
		}
	}
	held := read(t, c, 0, 10)
	for range 10 {
		<-held.taken
	}
	for p := 1; p < 4; p++ {
		r := read(t, c, p, 10)
		for offset := range int64(5000) {
			ev := <-r.taken
			if ev.Message.Offset != offset || ev.Message.Partition != p {
				t.Fatalf("partition %d gave %d/%d, want offset %d", p, ev.Message.Partition, ev.Message.Offset, offset)
			}
			settle(ev)
		}
		if got := r.Committable(); got != 5000 {
			t.Errorf("partition %d is done up to %d", p, got)
		}
	}
	if n := len(held.taken); n != 0 || held.Committable() != 0 || !held.Full() {
		t.Errorf("%d events beyond the bound; done up to %d", n, held.Committable())
	}
}

// TestAStreamThatWaitsForLong gives up what it fetched, and goes on with the
// next event, each once.
func TestAStreamThatWaitsForLong(t *testing.T) {
	c := start(t, 1)
	put(t, c, 0, 100, wanted)
	put(t, c, 0, 100, unwanted)
	put(t, c, 0, 100, wanted)
	r := read(t, c, 0, 2)
	first, second := <-r.taken, <-r.taken
	time.Sleep(holdFor + 200*time.Millisecond) // the third waits for so long
	settle(second)
	settle(first)
	for offset := int64(2); offset < 300; offset++ {
		if offset == 100 {
			offset = 200
		}
		ev := <-r.taken
		if ev.Message.Offset != offset {
			t.Fatalf("offset %d, want %d", ev.Message.Offset, offset)
		}
		settle(ev)
	}
	if got := r.Committable(); got != 300 {
		t.Errorf("done up to %d, want 300", got)
	}
}

// TestAnEventIsWhatTheRecordWas: its memory is its own, and null isn't empty.
func TestAnEventIsWhatTheRecordWas(t *testing.T) {
	c := start(t, 1)
	put(t, c, 0, 2, wanted)
	put(t, c, 0, 5000, unwanted)
	put(t, c, 0, 1, wanted)
	r := read(t, c, 0, 100)
	first, _, last := <-r.taken, <-r.taken, <-r.taken
	headers := []kafka.Header{{Key: "empty", Value: []byte{}}, {Key: "null"}}
	if m := first.Message; m.Topic != topic || m.Offset != 0 || string(m.Key) != "0" || len(m.Value) != 97 || !reflect.DeepEqual(m.Headers, headers) || m.Time.IsZero() {
		t.Errorf("the first is %+v", m)
	}
	if m := last.Message; m.Offset != 5002 {
		t.Errorf("the last is at %d", m.Offset)
	}
}

// TestUnwantedEventsCostNoAllocation: neither the record nor what is counted.
func TestUnwantedEventsCostNoAllocation(t *testing.T) {
	c := start(t, 1)
	put(t, c, 0, 1000, unwanted)
	m := metrics.New(prometheus.NewRegistry())
	s := New(Config{Destination: "d", Topic: topic, Name: "source", Offset: 0, MaxUncommitted: 1}, Parts{Cluster: c, Matcher: matching{}, Metrics: m})
	if err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.log.Close()
	block, err := s.log.Next(t.Context())
	if err != nil || len(block) < 500 {
		t.Fatalf("%d records (%v)", len(block), err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if !s.takeAll(t.Context(), block) {
			t.Error("the block wasn't taken")
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d records", n, len(block))
	}
}

// BenchmarkTake takes events in that somebody wants: with room for each, and where
// each waits for the one before.
func BenchmarkTake(b *testing.B) {
	for name, room := range map[string]int64{"room": 1 << 30, "waiting": eventOverhead} {
		b.Run(name, func(b *testing.B) {
			m := metrics.New(prometheus.NewRegistry())
			settled := make(chan *Event, 100)
			s := New(Config{Destination: "d", Topic: topic, Name: "source", MaxUncommitted: 1000}, Parts{
				Matcher: fixedMatcher{Actions: 1}, Actions: []string{"a"}, Budget: NewBudget(room, m.OpenBytes), Metrics: m,
				Submit: func(ev *Event) { settled <- ev },
			})
			s.mark = newWatermark(0)
			var done sync.WaitGroup
			done.Go(func() {
				for ev := range settled {
					settle(ev)
				}
			})
			block := make([]records.Record, 100)
			value := []byte(`{"type":"track","properties":{"a":"` + strings.Repeat("x", 500) + `"}}`)
			b.ReportAllocs()
			for next := int64(0); b.Loop(); {
				for i := range block {
					block[i] = records.Record{Offset: next, Time: time.UnixMilli(1), Key: value[:8], Value: value}
					next++
				}
				if !s.takeAll(b.Context(), block) {
					b.Fatal("the block wasn't taken")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(block)), "ns/event")
			close(settled)
			done.Wait()
		})
	}
}
