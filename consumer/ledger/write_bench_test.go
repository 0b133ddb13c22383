package ledger

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// blank is a log that takes everything within a millisecond and forgets it.
type blank struct{ end atomic.Int64 }

func (b *blank) Bounds(context.Context) (first, end int64, err error) { return 0, b.end.Load(), nil }

func (b *blank) Read(context.Context, int64, int64, func(Record)) error { return nil }

func (b *blank) Append(_ context.Context, records []Record) (base int64, err error) {
	time.Sleep(time.Millisecond)
	n := int64(len(records))
	return b.end.Add(n) - n, nil
}

// BenchmarkDelivery writes the intents and outcomes of deliveries of which 128 are under
// way at a time, without what the log takes.
func BenchmarkDelivery(b *testing.B) {
	l := New(Config{Retention: 7 * 24 * time.Hour, Log: zerolog.Nop(), Others: Others{Group: "engage-worker.onboarding"}}, new(blank))
	if _, err := l.Restore(b.Context()); err != nil {
		b.Fatal(err)
	}
	run(b, l)
	var n atomic.Int64
	b.ReportAllocs()
	begun := processorTime(b)
	defer func() { b.ReportMetric(float64((processorTime(b)-begun).Nanoseconds())/float64(b.N), "cpu-ns/op") }()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			recordKey := AppendKey(nil, "welcome-sms", fmt.Sprintf("m-%036d", i))
			at := Position{3, i}
			<-l.Begin(recordKey, Entry{
				State: Intent, Time: time.Now(), Position: at, Generation: 7, Tags: Tags{uint32(i), 0x1a2b3c4d},
				Made: Made{Account: 0x1a2b3c4d, Host: 0x1a2b3c4d, Sender: 0x1a2b3c4d, Channel: 0x1a2b3c4d, Recipient: uint32(i), Deadline: 30 * time.Second},
			}).Done()
			if err := l.Append(b.Context(), recordKey, Entry{State: Sent, SID: fmt.Sprintf("SM%032x", i), Time: time.Now(), Position: at, Generation: 7, Mark: 7}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
