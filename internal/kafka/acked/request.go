package acked

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// produceVersion is what Kafka has spoken since 2.1.
const produceVersion = 7

// producing is an Appender's exchange over kafka-go's connections.
type producing struct {
	client   *kafka.Client
	clientID string
	requests atomic.Int32 // so far, which numbers them
}

// request is one Produce request to one broker. kafka-go's own Client.Produce
// takes one partition a request.
type request struct {
	id       int32
	clientID string
	broker   int
	produce  produce.Request
}

var (
	_ protocol.BrokerMessage = (*request)(nil)
	_ protocol.RawExchanger  = (*request)(nil)
)

var errNotAnswered = errors.New("the broker's answer doesn't speak of the partition")

// ask appends the batches, each of another partition.
func (p *producing) ask(ctx context.Context, broker int, batches []*batch) error {
	slices.SortFunc(batches, func(x, y *batch) int { return x.at.compare(y.at) })
	r := &request{id: p.requests.Add(1), clientID: p.clientID, broker: broker, produce: produce.Request{
		Acks: int16(kafka.RequireAll), Timeout: int32(inSyncTime.Milliseconds()),
	}}
	topics := r.produce.Topics
	for i, b := range batches {
		if i == 0 || batches[i-1].at.topic != b.at.topic {
			topics = append(topics, produce.RequestTopic{Topic: b.at.topic})
		}
		t := &topics[len(topics)-1]
		t.Partitions = append(t.Partitions, produce.RequestPartition{
			Partition: int32(b.at.partition), RecordSet: protocol.RecordSet{Records: newReader(b.records)},
		})
		b.err = errNotAnswered
	}
	r.produce.Topics = topics
	transport := p.client.Transport
	if transport == nil {
		transport = kafka.DefaultTransport
	}
	res, err := transport.RoundTrip(ctx, p.client.Addr, r)
	if err != nil {
		return err
	}
	for _, topic := range res.(*produce.Response).Topics {
		for _, of := range topic.Partitions {
			i, ok := slices.BinarySearchFunc(batches, place{topic.Topic, int(of.Partition)}, func(b *batch, at place) int { return b.at.compare(at) })
			if !ok {
				continue
			}
			batches[i].base, batches[i].err = of.BaseOffset, nil
			if of.ErrorCode != 0 {
				batches[i].err = kafka.Error(of.ErrorCode)
			}
		}
	}
	return nil
}

func (at place) compare(other place) int {
	return cmp.Or(cmp.Compare(at.topic, other.topic), cmp.Compare(at.partition, other.partition))
}

// ApiKey is of protocol.Message.
//
//nolint:staticcheck // the name is kafka-go's
func (r *request) ApiKey() protocol.ApiKey { return protocol.Produce }

// Broker is of protocol.BrokerMessage.
func (r *request) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	b, ok := cluster.Brokers[int32(r.broker)]
	if !ok {
		return b, kafka.BrokerNotAvailable
	}
	return b, nil
}

// Required is of protocol.RawExchanger.
func (r *request) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange is of protocol.RawExchanger.
func (r *request) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	r.produce.Prepare(produceVersion)
	return protocol.RoundTrip(rw, produceVersion, r.id, r.clientID, &r.produce)
}

// reader hands records out as kafka-go wants them, one after the other in the same memory.
type reader struct {
	rest       []Record
	record     protocol.Record
	key, value blob
}

func newReader(records []Record) *reader { return &reader{rest: records} }

// ReadRecord is of protocol.RecordReader. The record is good until the next call.
func (r *reader) ReadRecord() (*protocol.Record, error) {
	if len(r.rest) == 0 {
		return nil, io.EOF
	}
	next := &r.rest[0]
	r.rest = r.rest[1:]
	r.record = protocol.Record{Time: next.Time, Key: r.key.of(next.Key), Value: r.value.of(next.Value)}
	return &r.record, nil
}

// blob is a protocol.Bytes.
type blob struct{ bytes.Reader }

func (b *blob) of(data []byte) protocol.Bytes {
	if data == nil {
		return nil
	}
	b.Reset(data)
	return b
}

// Close is of io.Closer.
func (b *blob) Close() error { return nil }
