// Package scene is what tests of who reads and writes topics begin with: an embedded
// broker with topics, a client of it, and a log that is read while it is written. For
// tests only.
package scene

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/sim/embedded"
)

// Scene is a broker and a client of it, which end with the test.
type Scene struct {
	T       testing.TB
	Broker  *embedded.Broker
	Client  *kafka.Client
	Cluster *records.Cluster
}

// New makes topics of so many partitions.
func New(t testing.TB, partitions int32, topics ...string) *Scene {
	t.Helper()
	broker, err := embedded.Start(kfake.SeedTopics(partitions, topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	transport := &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	client := &kafka.Client{Addr: kafka.TCP(broker.Brokers()...), Transport: transport, Timeout: 10 * time.Second}
	cluster := records.NewCluster(client, records.Options{})
	t.Cleanup(cluster.Close)
	return &Scene{T: t, Broker: broker, Client: client, Cluster: cluster}
}

// Put writes messages, to the partitions in their WriterData.
func (s *Scene) Put(topic string, messages ...kafka.Message) {
	s.T.Helper()
	w := &kafka.Writer{
		Addr: s.Client.Addr, Topic: topic, Transport: s.Client.Transport, Balancer: kafka.BalancerFunc(acked.ChosenPartition),
		BatchSize: 1000, BatchBytes: 900_000, BatchTimeout: time.Millisecond, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
	}
	defer w.Close()
	if err := w.WriteMessages(s.T.Context(), messages...); err != nil {
		s.T.Fatal(err)
	}
}

// Log is read while it is written.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes a part of it.
func (l *Log) Write(part []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(part)
}

// String is all of it so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
