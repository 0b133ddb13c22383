package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/sample"
	"engage-worker/internal/sim/twiliosim"
	"engage-worker/internal/worker"
)

// bench is a broker with a topic full of events, and a vendor; everything
// shares this process's cores.
type bench struct {
	b      *testing.B
	broker *embedded.Broker
	sim    *twiliosim.Sim
	cfg    *config.Config
	client *kafka.Client
	n      int
}

const benchPartitions = 12

func newBench(b *testing.B, n int, latency time.Duration, maxInFlight int, event func(i int) kafka.Message) *bench {
	b.Helper()
	broker, err := embedded.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(broker.Close)
	sim, err := twiliosim.New(twiliosim.Options{Keep: -1, Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Latency: latency}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(sim.Close)
	vendor, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "engage.yaml")
	text := fmt.Sprintf(`kafka: {brokers: [%q], topic: events, startOffset: earliest}
http: {listen: "127.0.0.1:0"}
regions: {us-west-2: {rate: 1000000, burst: 1000000, maxInFlight: %d}}
destinations:
  - name: onboarding
    settings: {twilioAccountSID: AC00000000000000000000000000000001, twilioApiKeySID: SK1, twilioApiKeySecret: s, twilioHostname: %q}
    actions: [{name: sms, type: sendSms, mapping: {from: MG00000000000000000000000000000001, body: "Hi {{ profile.traits.first_name | default: 'there' }}, welcome!"}}]
`, broker.Brokers()[0], maxInFlight, vendor.URL())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	x := &bench{b: b, broker: broker, sim: sim, n: n}
	if x.cfg, err = config.Load(path); err != nil {
		b.Fatal(err)
	}
	if x.client, err = connect.Client(x.cfg.Kafka); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { connect.CloseClient(x.client) })
	if _, err := topics.Ensure(b.Context(), x.client, topics.Of(x.cfg), topics.Sizes{Partitions: benchPartitions}); err != nil {
		b.Fatal(err)
	}
	w := &kafka.Writer{Addr: x.client.Addr, Transport: x.client.Transport, Topic: "events", RequiredAcks: kafka.RequireAll, BatchSize: 1000, BatchTimeout: time.Millisecond, Balancer: &kafka.Hash{}, Compression: kafka.Lz4}
	defer w.Close()
	batch := make([]kafka.Message, 0, 10_000)
	for i := range n {
		batch = append(batch, event(i))
		if len(batch) == cap(batch) || i == n-1 {
			if err := w.WriteMessages(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return x
}

// run lets a worker work until reached says that it is done, and returns how
// long that took from the first progress on, and the process's CPU time.
func (x *bench) run(reached func(w *worker.Worker) int, tune ...func(*consumer.Config)) (elapsed, cpu time.Duration) {
	x.b.Helper()
	zerolog.SetGlobalLevel(zerolog.WarnLevel)
	w, err := worker.New(x.cfg, zerolog.New(os.Stderr), "bench", nil, tune...)
	if err != nil {
		x.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(x.b.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for reached(w) == 0 {
		time.Sleep(time.Millisecond)
	}
	start, cpuStart, first := time.Now(), cpuTime(), reached(w)
	for reached(w) < x.n {
		time.Sleep(20 * time.Millisecond)
	}
	elapsed, cpu = time.Since(start), cpuTime()-cpuStart
	cancel()
	if err := <-done; err != nil {
		x.b.Fatal(err)
	}
	w.Close()
	scale := float64(x.n) / float64(x.n-first)
	return time.Duration(float64(elapsed) * scale), time.Duration(float64(cpu) * scale)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkUnwanted reads events that no trigger wants; BenchmarkBareLoop reads
// the same with nothing but kafka-go's ConsumerGroup and Conn.ReadBatch.
func BenchmarkUnwanted(b *testing.B) {
	const n = 2_000_000
	opts := sample.Options{Unwanted: 1}
	g := sample.New(1, opts)
	x := newBench(b, n, 0, 128, func(int) kafka.Message { ev := g.Next(); return kafka.Message{Key: ev.Key, Value: ev.Value} })
	b.Run("bare", func(b *testing.B) {
		for range b.N {
			elapsed, cpu := x.bare(b)
			report(b, n, elapsed, cpu)
		}
	})
	b.Run("worker", func(b *testing.B) {
		for i := range b.N {
			x.cfg.Kafka.GroupPrefix = fmt.Sprintf("bench-%d-%d", b.N, i)
			elapsed, cpu := x.run(func(w *worker.Worker) int { return int(benchValue(b, w, "engage_records_read_total")) })
			report(b, n, elapsed, cpu)
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapInuse)/1e6, "MB-heap")
		}
	})
}

func report(b *testing.B, n int, elapsed, cpu time.Duration) {
	b.ReportMetric(float64(n)/elapsed.Seconds(), "events/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu-us/event")
	b.ReportMetric(0, "ns/op")
}

// bare is the fastest loop that kafka-go allows, doing nothing with the events.
func (x *bench) bare(b *testing.B) (elapsed, cpu time.Duration) {
	dialer, err := connect.Dialer(x.cfg.Kafka)
	if err != nil {
		b.Fatal(err)
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: fmt.Sprintf("bare-%d", time.Now().UnixNano()), Brokers: x.cfg.Kafka.Brokers, Dialer: dialer, Topics: []string{"events"}, StartOffset: kafka.FirstOffset})
	if err != nil {
		b.Fatal(err)
	}
	defer group.Close()
	gen, err := group.Next(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var read atomic.Int64
	done := make(chan struct{})
	start, cpuStart := time.Now(), cpuTime()
	for _, p := range gen.Assignments["events"] {
		gen.Start(func(ctx context.Context) {
			conn, err := dialer.DialLeader(ctx, "tcp", x.cfg.Kafka.Brokers[0], "events", p.ID)
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err := conn.Seek(0, kafka.SeekStart); err != nil {
				return
			}
			for ctx.Err() == nil {
				conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 500 * time.Millisecond})
				for {
					if _, err := batch.ReadMessage(); err != nil {
						break
					}
					if read.Add(1) == int64(x.n) {
						close(done)
					}
				}
				batch.Close()
			}
		})
	}
	<-done
	return time.Since(start), cpuTime() - cpuStart
}

// BenchmarkDelivery sends messages through a vendor that takes 50 ms, with and
// without the ledger. Ideal is in flight / latency.
func BenchmarkDelivery(b *testing.B) {
	const latency = 50 * time.Millisecond
	for _, inFlight := range []int{128, 512} {
		for _, ledger := range []bool{true, false} {
			name := fmt.Sprintf("%d-in-flight", inFlight)
			if !ledger {
				name += "-without-ledger"
			}
			b.Run(name, func(b *testing.B) {
				n := 20_000
				if inFlight > 128 {
					n = 40_000
				}
				g := sample.New(1, sample.Options{Users: 50_000})
				for range b.N {
					x := newBench(b, n, latency, inFlight, func(int) kafka.Message {
						ev := g.Next()
						return kafka.Message{Key: ev.Key, Value: ev.Value, Time: time.Now()}
					})
					elapsed, cpu := x.run(func(*worker.Worker) int { return int(x.sim.Stats().Accepted) }, func(c *consumer.Config) { c.WithoutLedger = !ledger })
					b.ReportMetric(float64(n)/elapsed.Seconds(), "messages/s")
					b.ReportMetric(float64(inFlight)/latency.Seconds(), "ideal/s")
					b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu-us/message")
					b.ReportMetric(0, "ns/op")
				}
			})
		}
	}
}

func benchValue(b *testing.B, w *worker.Worker, name string) float64 {
	families, err := w.Registry().Gather()
	if err != nil {
		b.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += number(m)
			}
		}
	}
	return sum
}
