package acked

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	// produceVersion is what Kafka has spoken since 2.1.
	produceVersion = 7

	// largestAnswer is well above what a broker says of the partitions of a request.
	largestAnswer = 16 << 20
)

// producing is an Appender's exchange over kafka-go's connections.
type producing struct {
	client   *kafka.Client
	clientID string
	requests atomic.Int32 // so far, which numbers them
}

// request is one Produce request to one broker. kafka-go's own Client.Produce
// takes one partition a request, and asks each byte where it goes by reflection.
type request struct {
	id       int32
	clientID string
	broker   int
	batches  []*batch // in the order of their places
	said     []said   // of each, once the broker has answered
}

// said is what a broker says of a batch.
type said struct {
	base int64
	err  error
}

var (
	_ protocol.BrokerMessage = (*request)(nil)
	_ protocol.RawExchanger  = (*request)(nil)
)

// ask appends the batches, each of another partition.
func (p *producing) ask(ctx context.Context, broker int, batches []*batch) error {
	slices.SortFunc(batches, func(x, y *batch) int { return x.at.compare(y.at) })
	transport := p.client.Transport
	if transport == nil {
		transport = kafka.DefaultTransport
	}
	r := &request{id: p.requests.Add(1), clientID: p.clientID, broker: broker, batches: batches}
	if _, err := transport.RoundTrip(ctx, p.client.Addr, r); err != nil {
		return err // r may still be under way
	}
	for i, b := range batches {
		b.base, b.err = r.said[i].base, r.said[i].err
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

// buffers are the memory of requests and answers.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// RawExchange is of protocol.RawExchanger: it writes the request and reads
// the answer, on a connection that is its alone.
func (r *request) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	buffer := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buffer) <= 2*jointBytes {
			buffers.Put(buffer)
		}
	}()
	*buffer = r.encode((*buffer)[:0])
	if _, err := rw.Write(*buffer); err != nil {
		return nil, err
	}
	head := slices.Grow((*buffer)[:0], 8)[:8]
	if _, err := io.ReadFull(rw, head); err != nil {
		return nil, err
	}
	size, id := binary.BigEndian.Uint32(head), int32(binary.BigEndian.Uint32(head[4:]))
	if id != r.id || size < 4 || size > largestAnswer {
		return nil, fmt.Errorf("the broker's answer to request %d is of %d bytes, and to request %d", r.id, size, id)
	}
	*buffer = slices.Grow(head[:0], int(size)-4)[:size-4]
	if _, err := io.ReadFull(rw, *buffer); err != nil {
		return nil, err
	}
	return r, r.read(*buffer)
}

// encode appends the request.
func (r *request) encode(b []byte) []byte {
	be := binary.BigEndian
	text := func(s string) { b = append(be.AppendUint16(b, uint16(len(s))), s...) }
	b = be.AppendUint32(b, 0) // the size, once it is known
	b = be.AppendUint16(b, uint16(protocol.Produce))
	b = be.AppendUint16(b, produceVersion)
	b = be.AppendUint32(b, uint32(r.id))
	text(r.clientID)
	b = be.AppendUint16(b, none16) // no transaction
	b = be.AppendUint16(b, none16) // all in-sync replicas
	b = be.AppendUint32(b, uint32(inSyncTime.Milliseconds()))
	topics := 0
	for i, of := range r.batches {
		if i == 0 || of.at.topic != r.batches[i-1].at.topic {
			topics++
		}
	}
	b = be.AppendUint32(b, uint32(topics))
	for rest := r.batches; len(rest) > 0; {
		topic := rest[0].at.topic
		n := 1
		for n < len(rest) && rest[n].at.topic == topic {
			n++
		}
		text(topic)
		b = be.AppendUint32(b, uint32(n))
		for _, of := range rest[:n] {
			b = be.AppendUint32(b, uint32(of.at.partition))
			b = appendBatch(b, of.records)
		}
		rest = rest[n:]
	}
	be.PutUint32(b, uint32(len(b)-4))
	return b
}

const (
	none16 = 1<<16 - 1
	none32 = 1<<32 - 1
	none64 = 1<<64 - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendBatch appends a batch of records of Kafka's second format, with its size before it.
func appendBatch(b []byte, records []Record) []byte {
	be := binary.BigEndian
	now := time.Now()
	at := func(i int) int64 {
		if records[i].Time.IsZero() {
			return now.UnixMilli()
		}
		return records[i].Time.UnixMilli()
	}
	first, last := at(0), at(0)
	size := len(b)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint64(b, 0) // the first one's offset, which the broker says
	length := len(b)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint32(b, none32) // any leader epoch
	b = append(b, 2)               // the format
	sum := len(b)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint16(b, 0) // plain
	b = be.AppendUint32(b, uint32(len(records)-1))
	b = be.AppendUint64(b, uint64(first))
	latest := len(b)
	b = be.AppendUint64(b, 0)
	b = be.AppendUint64(b, none64) // no producer
	b = be.AppendUint16(b, none16) // nor its epoch
	b = be.AppendUint32(b, none32) // nor its number
	b = be.AppendUint32(b, uint32(len(records)))
	for i := range records {
		written := at(i)
		last = max(last, written)
		b = appendRecord(b, &records[i], written-first, int64(i))
	}
	be.PutUint64(b[latest:], uint64(last))
	be.PutUint32(b[sum:], crc32.Checksum(b[sum+4:], castagnoli))
	be.PutUint32(b[length:], uint32(len(b)-length-4))
	be.PutUint32(b[size:], uint32(len(b)-size-4))
	return b
}

// appendRecord appends a record without headers. Its size leads it, which is most
// often two bytes long.
func appendRecord(b []byte, r *Record, later, offset int64) []byte {
	var ends [1 + 4*binary.MaxVarintLen64]byte
	head := binary.AppendVarint(binary.AppendVarint(ends[:1], later), offset)
	key, value := int64(len(r.Key)), int64(len(r.Value))
	if r.Key == nil {
		key = -1
	}
	if r.Value == nil {
		value = -1
	}
	head = binary.AppendVarint(head, key)
	n := len(head)
	head = binary.AppendVarint(head, value)
	b = binary.AppendVarint(b, int64(len(head)+len(r.Key)+len(r.Value)+1))
	b = append(append(b, head[:n]...), r.Key...)
	b = append(append(b, head[n:]...), r.Value...)
	return append(b, 0)
}

var (
	errNotAnswered = errors.New("the broker's answer doesn't speak of the partition")
	errAnswer      = errors.New("the broker's answer can't be understood")
)

// read notes what the answer says of each batch.
func (r *request) read(answer []byte) error {
	r.said = make([]said, len(r.batches))
	for i := range r.said {
		r.said[i].err = errNotAnswered
	}
	c := cursor{rest: answer}
	next := 0 // in the order of the request, as brokers answer
	for topics := int32(c.number(4)); topics > 0 && !c.short; topics-- {
		topic := c.take(int(int16(c.number(2))))
		for partitions := int32(c.number(4)); partitions > 0 && !c.short; partitions-- {
			partition := int(int32(c.number(4)))
			code, base := int16(c.number(2)), int64(c.number(8))
			c.take(8 + 8) // when it was appended, and where the log starts
			for range r.batches {
				i := next % len(r.batches)
				next++
				if at := r.batches[i].at; at.partition == partition && at.topic == string(topic) {
					r.said[i] = said{base: base}
					if code != 0 {
						r.said[i].err = kafka.Error(code)
					}
					break
				}
			}
		}
	}
	if c.short {
		return errAnswer
	}
	return nil
}

// cursor reads numbers and texts. Beyond the end all is nothing, and short is set.
type cursor struct {
	rest  []byte
	short bool
}

func (c *cursor) take(n int) (b []byte) {
	if n < 0 || n > len(c.rest) {
		c.rest, c.short = nil, true
		return nil
	}
	b, c.rest = c.rest[:n], c.rest[n:]
	return b
}

func (c *cursor) number(n int) (v uint64) {
	for _, x := range c.take(n) {
		v = v<<8 | uint64(x)
	}
	return v
}
