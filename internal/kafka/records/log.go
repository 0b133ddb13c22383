package records

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// A block ends with the record that reaches one of these.
	blockBytes   = 1 << 20
	blockRecords = 1000

	// largestRecord is well above what brokers take.
	largestRecord = 1 << 30
)

// Record is one record. Its memory is the Log's until its next Next.
type Record struct {
	Offset     int64
	Time       time.Time
	Key, Value []byte // nil is null, which isn't empty
	Headers    []Header
}

// Header is one header of a record. A nil Value is null.
type Header struct{ Name, Value []byte }

// Log reads one partition. It is not safe for concurrent use.
type Log struct {
	fetch func(ctx context.Context, offset int64) (answer, error)

	next  int64 // the first offset that wasn't given out
	start int64
	end   int64
	rest  []byte // of the answer: batches that weren't begun

	// The open batch.
	base      int64 // offset
	baseTime  int64 // Unix milliseconds
	appended  bool  // all its records have baseTime
	afterward int64 // the offset after it
	left      int   // records
	in        *bufio.Reader
	codec     io.ReadCloser // below in; nil: not compressed

	// The block.
	bytes   []byte
	records []Record
	headers []Header
}

// Open begins at an offset. An answer of the broker's has about maxBytes; a
// larger batch comes whole.
func Open(client *kafka.Client, topic string, partition int, offset int64, maxBytes int) *Log {
	f := &fetcher{client: client, topic: topic, partition: partition, maxBytes: maxBytes}
	return newLog(f.fetch, offset)
}

func newLog(fetch func(context.Context, int64) (answer, error), offset int64) *Log {
	return &Log{fetch: fetch, next: offset, in: bufio.NewReaderSize(nil, 64<<10)}
}

// Offset is where the next block begins: after all records that were given
// out, and after what compaction took away behind them.
func (l *Log) Offset() int64 { return l.next }

// Start and End are the log's first offset and the one after its last, as the
// broker last said.
func (l *Log) Start() int64 { return l.start }
func (l *Log) End() int64   { return l.end }

// Next gives the next records, in their order, each once; none when the log
// ends here, or when there were only transactions' markers. Records that come
// with an error are whole. After an error Next asks the broker again, from
// Offset on; kafka.OffsetOutOfRange says that there is no such offset.
func (l *Log) Next(ctx context.Context) ([]Record, error) {
	l.bytes, l.records, l.headers = l.bytes[:0], l.records[:0], l.headers[:0]
	if l.left == 0 && len(l.rest) == 0 {
		a, err := l.fetch(ctx, l.next)
		if err != nil {
			return nil, err
		}
		l.start, l.end, l.rest = a.start, a.end, a.batches
	}
	err := l.fill()
	if err != nil {
		l.Close()
		l.rest = nil
	}
	return l.records, err
}

// fill makes a block of what the answer still has.
func (l *Log) fill() error {
	for len(l.bytes) < blockBytes && len(l.records) < blockRecords {
		for l.left == 0 {
			if more, err := l.openBatch(); err != nil || !more {
				return err
			}
		}
		if err := l.record(); err != nil {
			return err
		}
		if l.left--; l.left == 0 {
			l.Close()
			l.next = max(l.next, l.afterward)
		}
	}
	return nil
}

var (
	errBatch  = errors.New("a record batch is damaged")
	errFormat = errors.New("a record batch is in a format from before Kafka 0.11")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// A batch's attributes.
const (
	compressionBits = 0x07
	appendTimeBit   = 0x08
	controlBit      = 0x20
)

// openBatch begins the answer's next batch; more is false when none came
// whole.
func (l *Log) openBatch() (more bool, err error) {
	c := cursor{b: l.rest}
	base := c.int64()
	size := int(c.int32())
	body := cursor{b: c.take(size)}
	if c.bad {
		l.rest = nil // a broker cuts the last one off where its answer is full
		return false, nil
	}
	l.rest = c.b
	body.int32() // leader epoch
	switch magic := body.int8(); {
	case body.bad:
		return false, errBatch
	case magic != 2:
		return false, errFormat
	}
	sum := uint32(body.int32())
	if crc32.Checksum(body.b, castagnoli) != sum {
		return false, errBatch
	}
	attributes := body.int16()
	l.base = base
	l.afterward = base + int64(body.int32()) + 1
	l.baseTime = body.int64()
	latest := body.int64()
	body.skip(8 + 2 + 4) // producer, epoch, sequence
	l.left = int(body.int32())
	if body.bad || l.left < 0 || l.afterward <= base {
		l.left = 0
		return false, errBatch
	}
	if l.appended = attributes&appendTimeBit != 0; l.appended {
		l.baseTime = latest
	}
	if attributes&controlBit != 0 || l.left == 0 || l.afterward <= l.next {
		l.left = 0
		l.next = max(l.next, l.afterward)
		return true, nil
	}
	var in io.Reader = bytes.NewReader(body.b)
	if code := attributes & compressionBits; code != 0 {
		codec := kafka.Compression(code).Codec()
		if codec == nil {
			l.left = 0
			return false, fmt.Errorf("a record batch is compressed in an unknown way (%d)", code)
		}
		l.codec = codec.NewReader(in)
		in = l.codec
	}
	l.in.Reset(in)
	return true, nil
}

// Close gives up what is half read. The Log may be used again.
func (l *Log) Close() {
	if l.codec != nil {
		l.codec.Close()
		l.codec = nil
	}
	l.left = 0
}

// record reads the open batch's next record into the block, unless it comes
// before what was asked for.
func (l *Log) record() error {
	size, err := binary.ReadVarint(l.in)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errBatch, err)
	case size < 0 || size > largestRecord:
		return errBatch
	}
	from := len(l.bytes)
	if l.bytes, err = appendFrom(l.bytes, l.in, int(size)); err != nil {
		return fmt.Errorf("%w: %w", errBatch, err)
	}
	c := cursor{b: l.bytes[from:]}
	c.int8() // attributes: none are in use
	sinceBase := c.varint()
	r := Record{Offset: l.base + c.varint()}
	if r.Offset < l.next {
		l.bytes = l.bytes[:from]
		return nil
	}
	if l.appended {
		sinceBase = 0
	}
	if ms := l.baseTime + sinceBase; ms > 0 { // -1: the producer gave none
		r.Time = time.UnixMilli(ms)
	}
	r.Key, r.Value = c.bytes(), c.bytes()
	first := len(l.headers)
	for n := c.varint(); n > 0 && !c.bad; n-- {
		l.headers = append(l.headers, Header{c.bytes(), c.bytes()})
	}
	if c.bad || r.Offset >= l.afterward {
		return errBatch
	}
	r.Headers = l.headers[first:len(l.headers):len(l.headers)]
	l.records = append(l.records, r)
	l.next = r.Offset + 1
	return nil
}

// appendFrom appends n bytes of r's to b, growing no faster than they come.
func appendFrom(b []byte, r io.Reader, n int) ([]byte, error) {
	for n > 0 {
		piece := min(n, blockBytes)
		from := len(b)
		b = append(b, make([]byte, piece)...)
		if _, err := io.ReadFull(r, b[from:]); err != nil {
			return b[:from], err
		}
		n -= piece
	}
	return b, nil
}
