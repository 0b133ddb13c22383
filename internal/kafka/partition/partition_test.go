package partition_test

import (
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/partition"
	"engage-worker/internal/sim/embedded"
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

// TestSkim: records are passed over by their values until one isn't let by,
// or can't be judged by its value; that one is where a fetch goes on.
func TestSkim(t *testing.T) {
	c := start(t, "skim", 1)
	w := &kafka.Writer{Addr: c.Client.Addr, Transport: c.Client.Transport, Topic: "skim", RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4, BatchTimeout: time.Millisecond}
	defer w.Close()
	long := strings.Repeat("long", 10)
	var messages []kafka.Message
	for _, value := range []string{"a", "b", "c", "stop", "d", long, "", "e"} {
		messages = append(messages, kafka.Message{Key: []byte("key"), Value: []byte(value)})
	}
	messages[6].Value = nil
	messages = append(messages, kafka.Message{Value: []byte("e")}, kafka.Message{Value: []byte{}}, kafka.Message{Value: []byte("f")})
	for _, batch := range [][]kafka.Message{messages[:8], messages[8:]} {
		if err := w.WriteMessages(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := c.Dial(t.Context(), "skim", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cfg := partition.FetchConfig{MaxBytes: 1 << 20, MaxWait: 30 * time.Millisecond}
	for _, c := range []struct {
		from, next int64
		clean      bool
		passed     string
	}{
		{0, 3, false, "abc"},
		{1, 3, false, "bc"},
		{3, 3, false, ""},
		{4, 5, false, "d"},
		{5, 5, false, ""}, // longer than the buffer
		{6, 6, false, ""}, // null
		{7, 7, false, ""}, // behind a long one in its batch
		{8, 9, false, "e"},
		{9, 9, false, ""}, // empty
		{10, 11, true, "f"},
		{11, 11, true, ""},
	} {
		passed := ""
		next, end, clean, err := partition.Skim(t.Context(), conn, c.from, cfg, make([]byte, 16), func(value []byte) bool {
			if string(value) == "stop" {
				return false
			}
			passed += string(value)
			return true
		})
		if next != c.next || end != 11 || clean != c.clean || passed != c.passed || err != nil {
			t.Errorf("from %d: next %d, end %d, clean %v, passed %q, error %v; want %+v", c.from, next, end, clean, passed, err, c)
		}
		// The connection is good for a fetch from there.
		got := ""
		if _, _, err := partition.Fetch(t.Context(), conn, next, cfg, func(m *kafka.Message) bool { got = string(m.Value); return m.Offset < next }); err != nil {
			t.Errorf("a fetch after that from %d: %v", next, err)
		}
		if next < 11 && got != string(messages[next].Value) {
			t.Errorf("a fetch from %d read %q", next, got)
		}
	}
}
