package status

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
	"engage-worker/internal/sim/embedded"
)

// BenchmarkRestore reads a million pending messages of one shard, as a new owner does, and
// says what they take in memory, at first and once Twilio was asked of them ten times,
// and how long a look through them takes.
func BenchmarkRestore(b *testing.B) {
	const n, batch = 1_000_000, 2000
	broker, err := embedded.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(broker.Close)
	if err := broker.CreateTopic(topic, 1, nil); err != nil {
		b.Fatal(err)
	}
	transport := &kafka.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	cluster := records.NewCluster(&kafka.Client{Addr: kafka.TCP(broker.Brokers()...), Transport: transport}, records.Options{})
	b.Cleanup(cluster.Close)
	log := ledger.Partition{Cluster: cluster, Topic: topic}
	now := time.Now()
	for i := 0; i < n; i += batch {
		all := make([]ledger.Record, batch)
		for j := range all {
			id := fmt.Sprintf("m-%07d", i+j)
			r := Record{
				SID: fmt.Sprintf("SM%032x", i+j), Status: Accepted, To: "+15***567", From: "MG00000000000000000000000000000001", Action: "welcome-sms",
				MessageID: id, UserID: "user-1", Region: "us-west-2", Position: Position{Offset: int64(i + j)}, AcceptedAt: now,
			}
			all[j] = ledger.Record{Key: key(id), Value: r.append(nil), Time: now}
		}
		if _, err := log.Append(b.Context(), all); err != nil {
			b.Fatal(err)
		}
	}
	m := metrics.New(prometheus.NewRegistry())
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		f := New(Config{Destination: "d", SweepAfter: time.Minute, GiveUpAfter: time.Hour}, Parts{Log: log, Room: NewRoom(2 * n), Metrics: m, Logger: zerolog.Nop()})
		start := time.Now()
		if err := f.restore(b.Context()); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		runtime.GC()
		runtime.ReadMemStats(&after)
		start = time.Now()
		if s := f.survey(now, 100); s.Pending != n {
			b.Fatalf("%d pending", s.Pending)
		}
		looked := time.Since(start)
		for round := range 10 { // half of them: the rest would be carried to the topic's end
			s := f.survey(now.Add(time.Duration(round)*7*time.Hour+time.Minute), n)
			var due []Due
			for _, e := range s.due {
				if e.offset() > n-carryBehind {
					due = append(due, Due{entry: e})
				}
			}
			if len(due) == 0 {
				b.Fatalf("none is due in round %d", round)
			}
			f.asked(due, now.Add(time.Duration(round)*7*time.Hour+time.Minute))
		}
		var later runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&later)
		b.ReportMetric(float64(later.HeapAlloc-before.HeapAlloc)/n, "B/message-later")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/message")
		b.ReportMetric(took.Seconds(), "s/restore")
		b.ReportMetric(looked.Seconds()*1000, "ms/survey")
		runtime.KeepAlive(f)
	}
}
