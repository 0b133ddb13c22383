package acked

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// wire is a connection whose broker takes everything at once. It lets requests speak on itself.
type wire struct {
	id      [4]byte // of the request
	answer  []byte
	waiting []byte // of the answer
	written int64  // bytes
}

func (w *wire) RoundTrip(_ context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	w.id = [4]byte{}
	return req.(protocol.RawExchanger).RawExchange(w)
}

func (w *wire) Write(b []byte) (int, error) {
	if w.id == [4]byte{} {
		if len(b) < 12 {
			return 0, errors.New("a request comes in splinters")
		}
		copy(w.id[:], b[8:])
		copy(w.answer[4:], w.id[:])
		w.waiting = w.answer
	}
	w.written += int64(len(b))
	return len(b), nil
}

func (w *wire) Read(b []byte) (n int, err error) {
	if len(w.waiting) == 0 {
		return 0, io.EOF
	}
	n = copy(b, w.waiting)
	w.waiting = w.waiting[n:]
	return n, nil
}

// answerTo is what a broker says that has taken all.
func answerTo(batches []*batch) []byte {
	var b []byte
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(batches)))
	for _, of := range batches {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(of.at.topic))), of.at.topic...)
		b = binary.BigEndian.AppendUint32(b, 1)
		b = binary.BigEndian.AppendUint32(b, uint32(of.at.partition))
		b = binary.BigEndian.AppendUint16(b, 0)
		b = binary.BigEndian.AppendUint64(b, 7)
		b = binary.BigEndian.AppendUint64(b, 0)
		b = binary.BigEndian.AppendUint64(b, 0)
	}
	b = binary.BigEndian.AppendUint32(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// BenchmarkRequest makes a request of six partitions with ten records each, about what 512
// deliveries in flight make of theirs, but for the connection.
func BenchmarkRequest(b *testing.B) {
	const partitions, records = 6, 10
	var batches []*batch
	for p := range partitions {
		of := &batch{at: place{"events.onboarding.ledger", p}}
		for i := range records {
			of.records = append(of.records, Record{
				Time: time.UnixMilli(1732390000123), Key: fmt.Appendf(nil, "welcome-sms\x00m-%036d", i),
				Value: []byte("1 intent 1732390000123 3/12345 7 ~1a2b3c4d/1a2b3c4d =1/1a2b3c4d/1a2b3c4d/1a2b3c4d/1a2b3c4d/1a2b3c4d/30000 @engage-worker.onboarding"),
			})
		}
		batches = append(batches, of)
	}
	w := &wire{answer: answerTo(batches)}
	p := &producing{client: &kafka.Client{Transport: w}, clientID: "engage-worker"}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.ask(b.Context(), 1, batches); err != nil || batches[0].err != nil || batches[0].base != 7 {
			b.Fatal(err, batches[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*partitions*records), "ns/record")
}
