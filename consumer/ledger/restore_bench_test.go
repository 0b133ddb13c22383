package ledger

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"engage-worker/internal/kafka/records"
	"engage-worker/internal/sim/embedded"
)

// BenchmarkRestoreAll restores the ledgers of twelve shards, four at a time, as an
// only replica does, with ENGAGE_BENCH_ENTRIES entries of seven days in all (a
// million; 50 million need 6 GB for the embedded broker). Its processor time has the
// broker's in it, and hardly changes with what else the machine does.
func BenchmarkRestoreAll(b *testing.B) {
	const shards, atOnce, retention = 12, 4, 7 * 24 * time.Hour
	n, err := strconv.Atoi(os.Getenv("ENGAGE_BENCH_ENTRIES"))
	if err != nil {
		n = 1_000_000
	}
	broker, err := embedded.Start()
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	if err := broker.CreateTopic(topic, shards, nil); err != nil {
		b.Fatal(err)
	}
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	c := records.NewCluster(&kafka.Client{Addr: kafka.TCP(broker.Brokers()...), Transport: transport}, records.Options{})
	defer c.Close()

	begin := time.Now().Add(-retention)
	var writers sync.WaitGroup
	for shard := range shards {
		writers.Go(func() {
			w := &kafka.Writer{
				Addr: c.Client.Addr, Transport: transport, Topic: topic, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
				BatchSize: 5000, BatchBytes: 4 << 20, BatchTimeout: time.Millisecond,
				Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return shard }),
			}
			defer w.Close()
			var batch []kafka.Message
			for i := range n / shards {
				e := Entry{
					State: Sent, SID: fmt.Sprintf("SM%032x", i*shards+shard), Time: begin.Add(retention / time.Duration(n/shards) * time.Duration(i)),
					Position: Position{shard, int64(i)}, Generation: 1, Mark: Mark(i),
				}
				batch = append(batch, kafka.Message{Key: AppendKey(nil, "welcome-sms", fmt.Sprintf("m-%d-%d", shard, i)), Value: e.AppendValue(nil)})
				if len(batch) == 5000 || i == n/shards-1 {
					if err := w.WriteMessages(b.Context(), batch...); err != nil {
						b.Error(err)
						return
					}
					batch = batch[:0]
				}
			}
		})
	}
	writers.Wait()

	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		start, processor := time.Now(), processorTime(b)
		ledgers := make([]*Ledger, shards)
		var all errgroup.Group
		all.SetLimit(atOnce)
		for shard := range shards {
			all.Go(func() error {
				ledgers[shard] = New(Config{Retention: retention, Log: zerolog.Nop()}, Partition{Cluster: c, Topic: topic, ID: shard})
				read, err := ledgers[shard].Restore(b.Context())
				if err == nil && read != n/shards {
					err = fmt.Errorf("%d records were read", read)
				}
				return err
			})
		}
		if err := all.Wait(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), "records/s")
		b.ReportMetric(float64((processorTime(b)-processor).Nanoseconds())/float64(n), "processor-ns/record")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/delivery")
		runtime.KeepAlive(ledgers)
	}
}

// processorTime is what this process had so far, in and outside of the kernel.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
