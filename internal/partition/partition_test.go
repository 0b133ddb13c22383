package partition_test

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/embedded"
	"engage-worker/internal/partition"
)

func start(t *testing.T, topic string, partitions int32) partition.Cluster {
	t.Helper()
	b, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.CreateTopic(topic, partitions, nil); err != nil {
		t.Fatal(err)
	}
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return partition.Cluster{Client: &kafka.Client{Addr: kafka.TCP(b.Brokers()...), Transport: transport}, Dialer: &kafka.Dialer{Timeout: 5 * time.Second}}
}

// TestIdlePartition: a poll that finds nothing is no error.
func TestIdlePartition(t *testing.T) {
	c := start(t, "idle", 1)
	conn, err := c.Dial(t.Context(), "idle", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 40 {
		next, end, err := partition.Fetch(t.Context(), conn, 0, partition.FetchConfig{MaxBytes: 1 << 20, MaxWait: 30 * time.Millisecond}, func(*kafka.Message) bool { return true })
		if next != 0 || end != 0 || err != nil {
			t.Fatalf("poll %d: next %d, end %d, error %v", i, next, end, err)
		}
	}
}
