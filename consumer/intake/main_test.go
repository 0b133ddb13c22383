package intake

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"

	"engage-worker/actions"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/sim/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "events"

// start is a broker with the topic.
func start(t *testing.T, partitions int32) *records.Cluster {
	t.Helper()
	b, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.CreateTopic(topic, partitions, nil); err != nil {
		t.Fatal(err)
	}
	transport := &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	c := records.NewCluster(&kafka.Client{Addr: kafka.TCP(b.Brokers()...), Transport: transport}, records.Options{})
	t.Cleanup(c.Close)
	return c
}

// What the events are by the matcher of these tests.
const (
	wanted   = "wanted"
	unwanted = "unwanted"
)

// put writes n records of a kind, of about 100 bytes.
func put(t *testing.T, c *records.Cluster, partition, n int, kind string) {
	t.Helper()
	rs := make([]kafka.Record, n)
	for i := range rs {
		rs[i] = kafka.Record{Key: kafka.NewBytes(fmt.Append(nil, i)), Value: kafka.NewBytes(fmt.Appendf(nil, "%s %90d", kind, i)), Headers: []kafka.Header{{Key: "empty", Value: []byte{}}, {Key: "null"}}}
	}
	res, err := c.Client.Produce(t.Context(), &kafka.ProduceRequest{Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(rs...), Compression: kafka.Lz4})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		t.Fatal(err)
	}
}

// matching wants what says so.
type matching struct{}

func (matching) Match(value []byte) actions.Match {
	switch {
	case value == nil:
		return actions.Match{Tombstone: true}
	case bytes.HasPrefix(value, []byte(wanted)):
		return actions.Match{Actions: 1}
	}
	return actions.Match{}
}
