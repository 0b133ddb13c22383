package records

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// Bounds are a partition's first offset and the one after its last, whether
// its transaction is committed or not.
func (c *Cluster) Bounds(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	all, err := c.AllBounds(ctx, topic, []int{partition})
	if err != nil {
		return 0, 0, err
	}
	return all[0].From, all[0].End, nil
}

// AllBounds are the Bounds of several partitions of a topic, in their order.
func (c *Cluster) AllBounds(ctx context.Context, topic string, partitions []int) ([]Span, error) {
	firsts, err := c.Offsets(ctx, topic, partitions, kafka.FirstOffset)
	if err != nil {
		return nil, err
	}
	ends, err := c.Offsets(ctx, topic, partitions, kafka.LastOffset)
	if err != nil {
		return nil, err
	}
	spans := make([]Span, len(partitions))
	for i, p := range partitions {
		spans[i] = Span{Topic: topic, Partition: p, From: firsts[i], End: ends[i]}
	}
	return spans, nil
}

// Spans are a topic's partitions with all that they hold now, or, with a since, from
// the first record on that was written at that time or later. A topic that isn't there
// has none.
func (c *Cluster) Spans(ctx context.Context, topic string, since time.Time) ([]Span, error) {
	counts, err := c.Count(ctx, topic)
	if err != nil || counts[topic] == 0 {
		return nil, err
	}
	partitions := make([]int, counts[topic])
	for p := range partitions {
		partitions[p] = p
	}
	spans, err := c.AllBounds(ctx, topic, partitions)
	if err != nil || since.IsZero() {
		return spans, err
	}
	// The times below 0 mean something else.
	offsets, err := c.Offsets(ctx, topic, partitions, max(0, since.UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("find what was written since %s: %w", since.Format(time.RFC3339), err)
	}
	for p, offset := range offsets {
		if offset < 0 { // nothing is that young
			offset = spans[p].End
		}
		spans[p].From = max(spans[p].From, min(offset, spans[p].End))
	}
	return spans, nil
}

// offsetsVersion of ListOffsets is what Kafka has spoken since 2.2.
const offsetsVersion = 5

// Offsets are where partitions of a topic, in their order, have their first
// record of a time, in Unix milliseconds, or later; -1 where there is none.
// kafka.FirstOffset and kafka.LastOffset are times as well. Each leader is
// asked once: kafka-go's ListOffsets takes a connection for each partition.
func (c *Cluster) Offsets(ctx context.Context, topic string, partitions []int, at int64) ([]int64, error) {
	return c.offsets(ctx, topic, partitions, at, false)
}

// Ends are what Log.End is of partitions of a topic, in their order: where what
// can be read ends. Each leader is asked once.
func (c *Cluster) Ends(ctx context.Context, topic string, partitions []int) ([]int64, error) {
	return c.offsets(ctx, topic, partitions, kafka.LastOffset, true)
}

func (c *Cluster) offsets(ctx context.Context, topic string, partitions []int, at int64, committed bool) ([]int64, error) {
	failed := func(p int, err error) ([]int64, error) {
		return nil, fmt.Errorf("read the bounds of %s/%d: %w", topic, p, routed(err))
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	leaders, err := c.leaders(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("read the bounds of %s: %w", topic, err)
	}
	isolation := int8(0)
	if committed {
		isolation = 1
	}
	asked := map[int][]listoffsets.RequestPartition{}
	for _, p := range partitions {
		id, err := leaders.of(topic, p)
		if err != nil {
			return failed(p, err)
		}
		asked[id] = append(asked[id], listoffsets.RequestPartition{Partition: int32(p), CurrentLeaderEpoch: -1, Timestamp: at})
	}
	found := make(map[int]int64, len(partitions))
	for id, of := range asked {
		q := &offsetsQuestion{clientID: c.options.ClientID, broker: id, request: listoffsets.Request{
			ReplicaID: -1, IsolationLevel: isolation, Topics: []listoffsets.RequestTopic{{Topic: topic, Partitions: of}},
		}}
		res, err := c.transport().RoundTrip(ctx, c.Client.Addr, q)
		if err != nil {
			return failed(int(of[0].Partition), err)
		}
		for _, t := range res.(*listoffsets.Response).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return failed(int(p.Partition), kafka.Error(p.ErrorCode))
				}
				found[int(p.Partition)] = p.Offset
			}
		}
	}
	offsets := make([]int64, len(partitions))
	for i, p := range partitions {
		offset, ok := found[p]
		if !ok {
			return failed(p, kafka.UnknownTopicOrPartition)
		}
		offsets[i] = offset
	}
	return offsets, nil
}

// offsetsQuestion asks one leader, with one request whatever it is about.
type offsetsQuestion struct {
	clientID string
	broker   int
	request  listoffsets.Request
}

// ApiKey is of protocol.Message.
//
//nolint:staticcheck // the name is kafka-go's
func (q *offsetsQuestion) ApiKey() protocol.ApiKey { return protocol.ListOffsets }

// Broker is of protocol.BrokerMessage.
func (q *offsetsQuestion) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return brokerOf(cluster, q.broker)
}

// Required is of protocol.RawExchanger.
func (q *offsetsQuestion) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange is of protocol.RawExchanger.
func (q *offsetsQuestion) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	return protocol.RoundTrip(rw, offsetsVersion, correlation.Add(1), q.clientID, &q.request)
}
