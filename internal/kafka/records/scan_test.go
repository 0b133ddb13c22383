package records

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"engage-worker/internal/sim/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "t"

// site is a broker with a topic of one partition.
type site struct {
	t      *testing.T
	broker *embedded.Broker
	client *kafka.Client
	all    *Cluster
}

func newSite(t *testing.T, opts ...kfake.Opt) *site {
	t.Helper()
	broker, err := embedded.Start(append([]kfake.Opt{kfake.SeedTopics(1, topic)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	transport := &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	client := &kafka.Client{Addr: kafka.TCP(broker.Brokers()...), Transport: transport, Timeout: 10 * time.Second}
	all := NewCluster(client, Options{})
	t.Cleanup(all.Close)
	return &site{t, broker, client, all}
}

// put writes n records of about 1 kB, in batches of a hundred.
func (p *site) put(n int, compression kafka.Compression) {
	p.t.Helper()
	for n > 0 {
		var rs []kafka.Record
		for i := range min(n, 100) {
			rs = append(rs, kafka.Record{
				Key: kafka.NewBytes(fmt.Append(nil, i)), Value: kafka.NewBytes(bytes.Repeat([]byte{'v'}, 1000)),
				Headers: []kafka.Header{{Key: "h", Value: []byte("x")}},
			})
		}
		n -= len(rs)
		res, err := p.client.Produce(p.t.Context(), &kafka.ProduceRequest{
			Topic: topic, RequiredAcks: kafka.RequireAll, Compression: compression, Records: kafka.NewRecordReader(rs...),
		})
		if err == nil {
			err = res.Error
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// trim deletes what comes before an offset, as retention does.
func (p *site) trim(offset int64) {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.broker.Brokers()[0])
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		p.t.Fatal(err)
	}
	var size int32
	if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(size)); err != nil {
		p.t.Fatal(err)
	}
	if got := p.broker.PartitionInfo(topic, 0).LogStartOffset; got != offset {
		p.t.Fatalf("the log begins at %d, want %d", got, offset)
	}
}

func (p *site) scanner() *Scanner {
	return &Scanner{Cluster: p.all, MaxBytes: 16 << 10}
}

// scan reads a span, and between may do something after each block.
func (p *site) scan(ctx context.Context, s *Scanner, from, end int64, between func(block int)) (got []int64, err error) {
	p.t.Helper()
	block := 0
	err = s.Scan(ctx, Span{topic, 0, from, end}, func(records []Record) error {
		for _, r := range records {
			if len(r.Value) != 1000 || len(r.Headers) != 1 || string(r.Headers[0].Name) != "h" {
				p.t.Fatalf("%+v", r)
			}
			got = append(got, r.Offset)
		}
		if between != nil {
			between(block)
		}
		block++
		return nil
	})
	return got, err
}

func through(from, end int64) (offsets []int64) {
	for o := from; o < end; o++ {
		offsets = append(offsets, o)
	}
	return offsets
}

func TestScanReadsASpan(t *testing.T) {
	p := newSite(t)
	for compression := range kafka.Compression(5) {
		p.put(300, compression)
	}
	s := p.scanner()
	var passed int64
	s.Passed = func(n int64) { passed += n }
	if got, err := p.scan(t.Context(), s, 0, 1500, nil); err != nil || !slices.Equal(got, through(0, 1500)) || passed != 1500 {
		t.Errorf("%d records (%v), %d passed", len(got), err, passed)
	}
	// What is written meanwhile isn't read.
	got, err := p.scan(t.Context(), s, 250, 1333, func(block int) { p.put(100, kafka.Lz4) })
	if err != nil || !slices.Equal(got, through(250, 1333)) {
		t.Errorf("%d records (%v), want those from 250 to 1332", len(got), err)
	}
	if got, err := p.scan(t.Context(), s, 7, 7, nil); err != nil || len(got) > 0 {
		t.Errorf("an empty span: %v (%v)", got, err)
	}
}

func TestScanEnds(t *testing.T) {
	t.Parallel()
	p := newSite(t)
	p.put(300, 0)
	enough := errors.New("enough")
	if err := p.scanner().Scan(t.Context(), Span{topic, 0, 0, 300}, func([]Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want the caller's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, err := p.scan(ctx, p.scanner(), 0, 300, func(int) { cancel() })
	if !errors.Is(err, context.Canceled) || len(got) == 0 || len(got) == 300 {
		t.Errorf("%d records (%v), want a cancelled context", len(got), err)
	}
	if err := p.scanner().Scan(t.Context(), Span{"missing", 0, 0, 300}, nil); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("got %v, want an unknown topic", err)
	}
	if err := p.scanner().Scan(t.Context(), Span{topic, 7, 0, 300}, nil); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("got %v, want an unknown partition", err)
	}
	// The log ends before the span does, as after an unclean election.
	if _, err := p.scan(t.Context(), p.scanner(), 400, 500, nil); !errors.Is(err, kafka.OffsetOutOfRange) {
		t.Errorf("got %v, want an offset out of range", err)
	}
}

// Retention deletes what comes next: the scan goes on with what is left, and
// says how much it didn't see.
func TestScanGoesOnAfterRetention(t *testing.T) {
	p := newSite(t)
	p.put(1000, 0)
	s := p.scanner()
	var passed, gone int64
	s.Passed, s.Gone = func(n int64) { passed += n }, func(n int64) { gone += n }
	first := 0
	got, err := p.scan(t.Context(), s, 0, 1000, func(block int) {
		if block == 0 {
			p.trim(700)
		}
		first = max(first, block)
	})
	read := int64(len(got)) - 300
	if err != nil || read <= 0 || !slices.Equal(got, append(through(0, read), through(700, 1000)...)) || gone != 700-read || passed != 1000 {
		t.Errorf("%d records (%v), %d gone, %d passed", len(got), err, gone, passed)
	}
	// All of it.
	if got, err := p.scan(t.Context(), s, 0, 500, nil); err != nil || len(got) > 0 {
		t.Errorf("%v (%v)", got, err)
	}
}

func TestScanGetsOverFaults(t *testing.T) {
	t.Parallel()
	p := newSite(t, kfake.NumBrokers(2))
	p.put(1000, 0)
	var cuts atomic.Int64
	p.broker.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		p.broker.KeepControl()
		if cuts.Add(-1) >= 0 {
			return nil, errors.New("connection cut"), true
		}
		return nil, nil, false
	})
	got, err := p.scan(t.Context(), p.scanner(), 0, 1000, func(block int) {
		switch block {
		case 0:
			cuts.Store(2)
		case 1:
			leader := p.broker.PartitionInfo(topic, 0).Leader
			if err := p.broker.MoveTopicPartition(topic, 0, 1-leader); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || !slices.Equal(got, through(0, 1000)) {
		t.Errorf("%d records (%v)", len(got), err)
	}
	cuts.Store(1 << 40)
	if got, err := p.scan(t.Context(), p.scanner(), 0, 1000, nil); err == nil || len(got) > 0 {
		t.Errorf("%d records and no error though nothing can be fetched", len(got))
	}
}

// A span's end inside a batch is where its unpacking ends, too.
func TestNothingIsUnpackedBehindTheEnd(t *testing.T) {
	p := newSite(t)
	p.put(100, kafka.Lz4)
	log := p.all.Open(topic, 0, 10, Bytes{Answer: 16 << 10, Block: scanBlock})
	defer log.Close()
	log.until = 12
	block, err := log.Next(t.Context())
	if err != nil || len(block) != 2 || log.Offset() != 12 {
		t.Errorf("%d records, then offset %d (%v), want those at 10 and 11", len(block), log.Offset(), err)
	}
	if got, err := p.scan(t.Context(), p.scanner(), 10, 12, nil); err != nil || !slices.Equal(got, through(10, 12)) {
		t.Errorf("a scan of 10 to 12: %v (%v)", got, err)
	}
}

// TestVarints: those of one byte and two are binary.Varint's, too.
func TestVarints(t *testing.T) {
	for first := range 256 {
		for second := range 256 {
			for _, b := range [][]byte{{}, {byte(first)}, {byte(first), byte(second)}, {byte(first), byte(second), 1}} {
				v, n := varint(b)
				if wantV, wantN := binary.Varint(b); v != wantV || n != wantN {
					t.Fatalf("% x is %d in %d bytes, want %d in %d", b, v, n, wantV, wantN)
				}
			}
		}
	}
}
