package deadletter

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/sim/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker is an embedded broker with a transport to it.
type broker struct {
	*embedded.Broker
	transport *kafka.Transport
	client    *kafka.Client
	reading   *records.Cluster
}

func newBroker(t testing.TB, opts ...kfake.Opt) *broker {
	t.Helper()
	b, err := embedded.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	transport := &kafka.Transport{MetadataTTL: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	client := &kafka.Client{Addr: kafka.TCP(b.Brokers()...), Transport: transport, Timeout: 10 * time.Second}
	reading := records.NewCluster(client, records.Options{})
	t.Cleanup(reading.Close)
	return &broker{b, transport, client, reading}
}

func (b *broker) createTopic(t testing.TB, name string, partitions int, config ...kafka.ConfigEntry) {
	t.Helper()
	res, err := b.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: name, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: config,
	}}})
	if err == nil {
		err = res.Errors[name]
	}
	if err != nil {
		t.Fatal(err)
	}
}

// partition reads all of a partition with kafka-go's own decoding.
func (b *broker) partition(t *testing.T, topic string, number int) []kafka.Message {
	t.Helper()
	conn, err := kafka.DialLeader(t.Context(), "tcp", b.Brokers()[0], topic, number)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	first, last, err := conn.ReadOffsets()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Seek(first, kafka.SeekAbsolute); err != nil {
		t.Fatal(err)
	}
	var msgs []kafka.Message
	for next := first; next < last; {
		batch := conn.ReadBatch(1, 64<<20)
		for {
			m, err := batch.ReadMessage()
			if err != nil {
				break
			}
			msgs = append(msgs, m)
		}
		next = batch.Offset()
		if err := batch.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return msgs
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

// headers turns "name=value" into headers.
func headers(pairs ...string) []kafka.Header {
	hs := make([]kafka.Header, len(pairs))
	for i, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		hs[i] = kafka.Header{Key: name, Value: []byte(value)}
	}
	return hs
}

func lines(hs []kafka.Header) string {
	var b bytes.Buffer
	for _, h := range hs {
		b.WriteString(h.Key + "=" + string(h.Value) + "\n")
	}
	return b.String()
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (b *broker) cluster() *records.Cluster { return b.reading }

// put writes dead letters, each to its own partition.
func (b *broker) put(t testing.TB, topic string, letters ...*Record) {
	t.Helper()
	messages := make([]kafka.Message, len(letters))
	for i, r := range letters {
		messages[i] = Encode(r)
		messages[i].WriterData = r.Partition
	}
	b.produce(t, topic, messages...)
}

// produce writes messages to the partitions in their WriterData.
func (b *broker) produce(t testing.TB, topic string, messages ...kafka.Message) {
	t.Helper()
	w := &kafka.Writer{
		Addr: b.client.Addr, Topic: topic, Transport: b.transport, Balancer: kafka.BalancerFunc(acked.ChosenPartition),
		BatchSize: 1000, BatchBytes: 900_000, BatchTimeout: time.Millisecond, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
	}
	defer w.Close()
	if err := w.WriteMessages(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
}
