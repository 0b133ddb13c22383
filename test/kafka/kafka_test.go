package kafka_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"go.uber.org/goleak"

	"engage-worker/test/kafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wanted skips where nobody asked for a real Kafka: make test needs Go alone.
func wanted(t *testing.T) {
	t.Helper()
	if os.Getenv("ENGAGE_TEST_BROKER") != "kafka" {
		t.Skip("needs ENGAGE_TEST_BROKER=kafka (make test-kafka)")
	}
}

func createTopic(t *testing.T, client *kafkago.Client, topic string, partitions int) {
	t.Helper()
	res, err := client.CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: -1}}})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		t.Fatalf("create topic: %v", err)
	}
}

func newClient(t *testing.T, brokers []string, transport *kafkago.Transport) *kafkago.Client {
	t.Cleanup(transport.CloseIdleConnections)
	return &kafkago.Client{Addr: kafkago.TCP(brokers...), Transport: transport, Timeout: 20 * time.Second}
}

// produce writes n records, trying until the broker takes them.
func produce(t *testing.T, client *kafkago.Client, topic string, from, n int) {
	t.Helper()
	w := &kafkago.Writer{Addr: client.Addr, Topic: topic, Transport: client.Transport, RequiredAcks: kafkago.RequireAll,
		BatchTimeout: time.Millisecond, AllowAutoTopicCreation: false, MaxAttempts: 60}
	defer w.Close()
	var records []kafkago.Message
	for i := range n {
		records = append(records, kafkago.Message{Value: fmt.Appendf(nil, "record %d", from+i)})
	}
	if err := w.WriteMessages(t.Context(), records...); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

// consume reads n records of partition 0 in a consumer group and commits
// after the last.
func consume(t *testing.T, brokers []string, topic, group string, n int) (values []string) {
	t.Helper()
	g, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{ID: group, Brokers: brokers, Topics: []string{topic},
		StartOffset: kafkago.FirstOffset, SessionTimeout: 2 * time.Second, RebalanceTimeout: 2 * time.Second, HeartbeatInterval: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	gen, err := g.Next(ctx)
	for err != nil { // a coordinator that loads or moves; every consumer tries again
		if ctx.Err() != nil {
			t.Fatalf("join the group: %v", err)
		}
		gen, err = g.Next(ctx)
	}
	assigned := gen.Assignments[topic]
	if len(assigned) != 1 {
		t.Fatalf("assigned %v, want one partition", gen.Assignments)
	}
	result := make(chan error, 1)
	gen.Start(func(ctx context.Context) {
		result <- func() error {
			conn, err := kafkago.DialLeader(ctx, "tcp", brokers[0], topic, assigned[0].ID)
			if err != nil {
				return err
			}
			defer conn.Close()
			if _, err := conn.Seek(max(assigned[0].Offset, 0), kafkago.SeekAbsolute); err != nil {
				return err
			}
			conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			for len(values) < n {
				m, err := conn.ReadMessage(1 << 20)
				if err != nil {
					return err
				}
				values = append(values, string(m.Value))
				if len(values) == n {
					return gen.CommitOffsets(map[string]map[int]int64{topic: {assigned[0].ID: m.Offset + 1}})
				}
			}
			return nil
		}()
	})
	select {
	case err := <-result:
		if err != nil {
			t.Fatalf("consume: %v", err)
		}
	case <-ctx.Done():
		t.Fatalf("consume: %v", ctx.Err())
	}
	return values
}

func wantRecords(t *testing.T, got []string, from, n int) {
	t.Helper()
	for i := range n {
		if want := fmt.Sprintf("record %d", from+i); i >= len(got) || got[i] != want {
			t.Fatalf("read %q, want records %d to %d", got, from, from+n-1)
		}
	}
}

// One broker keeps its address, records, groups and offsets over a restart,
// a kill and a pause.
func TestBrokerKeepsWhatItKnows(t *testing.T) {
	wanted(t)
	start := time.Now()
	c := kafka.Start(t, kafka.Options{})
	t.Logf("up after %v", time.Since(start))
	client := newClient(t, c.Brokers(), &kafkago.Transport{})
	topic := fmt.Sprintf("kept-%d", time.Now().UnixNano())
	createTopic(t, client, topic, 1)
	produce(t, client, topic, 0, 10)
	wantRecords(t, consume(t, c.Brokers(), topic, topic, 4), 0, 4)
	if len(c.Nodes) == 0 {
		t.Log("the brokers are somebody else's: not restarted")
		return
	}
	n := c.Nodes[0]
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	produce(t, client, topic, 10, 1)
	wantRecords(t, consume(t, c.Brokers(), topic, topic, 4), 4, 4)

	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.DialTimeout("tcp", n.Addr(), time.Second); err == nil {
		conn.Close()
		t.Error("a killed broker takes connections")
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, consume(t, c.Brokers(), topic, topic, 3), 8, 3)

	if err := n.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := newClient(t, c.Brokers(), &kafkago.Transport{}).Metadata(ctx, &kafkago.MetadataRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused broker answers: %v", err)
	}
	if err := n.Resume(); err != nil {
		t.Fatal(err)
	}
	produce(t, client, topic, 11, 1)
}

// Three brokers: what all in-sync replicas have outlives one of them.
func TestThreeBrokers(t *testing.T) {
	wanted(t)
	if os.Getenv("KAFKA_BROKERS") != "" {
		t.Skip("needs brokers of its own")
	}
	c := kafka.Start(t, kafka.Options{Brokers: 3})
	client := newClient(t, c.Brokers(), &kafkago.Transport{MetadataTTL: 500 * time.Millisecond})
	createTopic(t, client, "replicated", 1)
	produce(t, client, "replicated", 0, 5)
	meta, err := client.Metadata(t.Context(), &kafkago.MetadataRequest{Topics: []string{"replicated"}})
	if err != nil {
		t.Fatal(err)
	}
	partition := meta.Topics[0].Partitions[0]
	if len(partition.Replicas) != 3 {
		t.Errorf("%d replicas, want 3", len(partition.Replicas))
	}
	if err := c.Nodes[partition.Leader.ID-1].Kill(); err != nil {
		t.Fatal(err)
	}
	produce(t, client, "replicated", 5, 1)
	var left []string
	for _, n := range c.Nodes {
		if n.ID != partition.Leader.ID {
			left = append(left, n.Addr())
		}
	}
	wantRecords(t, consume(t, left, "replicated", "survivors", 6), 0, 6)
}

// The secured listeners let in who knows the password, and nobody else.
func TestSecured(t *testing.T) {
	wanted(t)
	if os.Getenv("KAFKA_BROKERS") != "" {
		t.Skip("needs brokers of its own")
	}
	c := kafka.Start(t, kafka.Options{Secured: true})
	pem, err := os.ReadFile(c.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	trusting := &tls.Config{RootCAs: roots}
	login := func(algorithm scram.Algorithm, password string) sasl.Mechanism {
		m, err := scram.Mechanism(algorithm, kafka.Username, password)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, test := range []struct {
		name    string
		brokers []string
		tls     *tls.Config
		sasl    sasl.Mechanism
		refused bool
	}{
		{name: "tls", brokers: c.TLSBrokers(), tls: trusting},
		{name: "tls, unknown authority", brokers: c.TLSBrokers(), tls: &tls.Config{RootCAs: x509.NewCertPool()}, refused: true},
		{name: "plain", brokers: c.SASLBrokers(), sasl: plain.Mechanism{Username: kafka.Username, Password: kafka.Password}},
		{name: "plain, wrong password", brokers: c.SASLBrokers(), sasl: plain.Mechanism{Username: kafka.Username, Password: "no"}, refused: true},
		{name: "scram-sha-256", brokers: c.SASLBrokers(), sasl: login(scram.SHA256, kafka.Password)},
		{name: "scram-sha-512", brokers: c.SASLBrokers(), sasl: login(scram.SHA512, kafka.Password)},
		{name: "scram-sha-512, wrong password", brokers: c.SASLBrokers(), sasl: login(scram.SHA512, "no"), refused: true},
		{name: "scram-sha-512 over tls", brokers: c.SASLTLSBrokers(), tls: trusting, sasl: login(scram.SHA512, kafka.Password)},
		{name: "nobody", brokers: c.SASLBrokers(), refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := newClient(t, test.brokers, &kafkago.Transport{TLS: test.tls, SASL: test.sasl}).Metadata(ctx, &kafkago.MetadataRequest{})
			if (err != nil) != test.refused {
				t.Errorf("refused %v (%v), want %v", err != nil, err, test.refused)
			}
		})
	}
}

// A broker that can't start says why.
func TestStartError(t *testing.T) {
	wanted(t)
	if os.Getenv("KAFKA_BROKERS") != "" {
		t.Skip("needs brokers of its own")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := kafka.Run(ctx, kafka.Options{Properties: map[string]string{"log.retention.bytes": "many"}})
	if err == nil {
		c.Close()
		t.Fatal("started with an impossible property")
	}
	t.Logf("%v", err)
	if ctx.Err() != nil {
		t.Error("the error came by waiting")
	}
}
