package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

const (
	// fetchVersion is what Kafka has spoken since 2.3, and the highest that
	// kafka-go can write.
	fetchVersion = 11

	// fetchWait is how long the broker may wait for a first byte.
	fetchWait = time.Second

	// fetchGrace is how long an answer may take beyond that before the
	// connection counts as dead.
	fetchGrace = 20 * time.Second

	// largestAnswer is well above what brokers take as a batch, which comes
	// whole whatever was asked for.
	largestAnswer = 1 << 30
)

// answer is what the broker says to one fetch.
type answer struct {
	start   int64 // of the log
	end     int64 // of the log: the high watermark
	batches []byte
}

// fetcher asks one partition's leader.
type fetcher struct {
	client    *kafka.Client
	topic     string
	partition int
	maxBytes  int
	buf       []byte // for the next answer
}

// fetch asks for batches from offset on. The answer's memory is the fetcher's
// until the next one.
func (f *fetcher) fetch(ctx context.Context, offset int64) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait+fetchGrace)
	defer cancel()
	req := &request{
		Request: fetch.Request{
			ReplicaID: -1, MaxWaitTime: int32(fetchWait.Milliseconds()), MinBytes: 1, MaxBytes: int32(f.maxBytes), SessionEpoch: -1,
			Topics: []fetch.RequestTopic{{Topic: f.topic, Partitions: []fetch.RequestPartition{{
				Partition: int32(f.partition), CurrentLeaderEpoch: -1, FetchOffset: offset, LogStartOffset: -1, PartitionMaxBytes: int32(f.maxBytes),
			}}}},
		},
		answer: f.buf,
	}
	// A connection that is given up may still write into the buffer.
	f.buf = nil
	transport := f.client.Transport
	if transport == nil {
		transport = kafka.DefaultTransport
	}
	res, err := transport.RoundTrip(ctx, f.client.Addr, req)
	if err != nil {
		return answer{}, routed(err)
	}
	f.buf = res.(*request).answer
	return parseAnswer(f.buf)
}

// routed puts what kafka-go says of a partition that it knows no leader of
// into the broker's words.
func routed(err error) error {
	switch {
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return kafka.UnknownTopicOrPartition
	case errors.Is(err, protocol.ErrNoLeader):
		return kafka.LeaderNotAvailable
	}
	return err
}

// request is a fetch request whose answer stays bytes. kafka-go finds the
// leader and a connection for it, and lets it speak for itself there.
type request struct {
	fetch.Request
	answer []byte
}

var (
	_ protocol.BrokerMessage = (*request)(nil)
	_ protocol.RawExchanger  = (*request)(nil)
)

// Required is of protocol.RawExchanger.
func (r *request) Required(map[protocol.ApiKey]int16) bool { return true }

// correlation numbers the requests.
var correlation atomic.Int32

// RawExchange is of protocol.RawExchanger: it writes the request and reads
// the answer, on a connection that is its alone.
func (r *request) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	id := correlation.Add(1)
	if err := protocol.WriteRequest(rw, fetchVersion, id, "engage-worker", &r.Request); err != nil {
		return nil, err
	}
	var head [8]byte // size, correlation id
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, noEOF(err)
	}
	c := cursor{b: head[:]}
	size, got := int(c.int32())-4, c.int32()
	if got != id {
		return nil, fmt.Errorf("the broker answered request %d instead of %d", got, id)
	}
	if size < 0 || size > largestAnswer {
		return nil, fmt.Errorf("the broker announced an answer of %d bytes", size)
	}
	if cap(r.answer) < size {
		r.answer = make([]byte, size)
	}
	r.answer = r.answer[:size]
	_, err := io.ReadFull(rw, r.answer)
	return r, noEOF(err)
}

// noEOF keeps a lost connection from looking like an end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var errAnswer = errors.New("the broker's answer can't be understood")

// parseAnswer reads an answer about one partition.
func parseAnswer(b []byte) (answer, error) {
	c := cursor{b: b}
	c.int32() // throttle
	if code := c.int16(); code != 0 {
		return answer{}, kafka.Error(code)
	}
	c.int32() // session
	if c.int32() != 1 {
		return answer{}, errAnswer
	}
	c.skip(int(c.int16())) // topic
	if c.int32() != 1 {
		return answer{}, errAnswer
	}
	c.int32() // partition
	code := c.int16()
	a := answer{end: c.int64()}
	c.int64() // last stable offset
	a.start = c.int64()
	if n := int(c.int32()); n > 0 { // aborted transactions; -1 is null
		c.skip(16 * n)
	}
	c.int32() // preferred replica
	size := int(c.int32())
	switch {
	case c.bad:
		return answer{}, errAnswer
	case code != 0:
		return answer{}, kafka.Error(code)
	}
	a.batches = c.take(max(0, size))
	if c.bad {
		return answer{}, errAnswer
	}
	return a, nil
}
