package status

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/metrics"
)

// blank is a log that takes everything within a millisecond and forgets it.
type blank struct{ end atomic.Int64 }

func (b *blank) Bounds(context.Context) (first, end int64, err error) { return 0, b.end.Load(), nil }

func (b *blank) Read(context.Context, int64, int64, func(ledger.Record)) error { return nil }

func (b *blank) Append(_ context.Context, records []ledger.Record) (base int64, err error) {
	time.Sleep(time.Millisecond)
	n := int64(len(records))
	return b.end.Add(n) - n, nil
}

// BenchmarkAccepted begins to follow messages, 128 at a time, without what the log takes.
func BenchmarkAccepted(b *testing.B) {
	f := New(Config{Destination: "d", SweepAfter: time.Minute, GiveUpAfter: time.Hour}, Parts{
		Log: new(blank), Room: NewRoom(1 << 30), Metrics: metrics.New(prometheus.NewRegistry()), Logger: zerolog.Nop(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx, semaphore.NewWeighted(1)) }()
	defer func() { cancel(); <-done }()
	var n atomic.Int64
	b.ReportAllocs()
	begun := processorTime(b)
	defer func() { b.ReportMetric(float64(processorTime(b)-begun)/float64(b.N), "cpu-ns/op") }()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			r := benched
			r.SID, r.AcceptedAt = fmt.Sprintf("SM%032x", i), time.Now()
			if err := f.Accepted(b.Context(), ledger.AppendKey(nil, "welcome-sms", fmt.Sprintf("m-%036d", i)), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// processorTime is what this process has taken so far, in nanoseconds.
func processorTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
