package records

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// Record is one record. Its memory is the Log's until its next Next or SeekTo.
type Record struct {
	Offset     int64
	Time       time.Time
	Key, Value []byte // nil is null, which isn't empty
	Headers    []Header
}

// Header is one header of a record. A nil Value is null.
type Header struct{ Name, Value []byte }

// Message is a copy of the record that stays, with the place that it is from.
func (r *Record) Message(topic string, partition int) kafka.Message {
	size := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Value)
	}
	room := make([]byte, 0, size)
	copied := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		from := len(room)
		room = append(room, b...)
		return room[from:len(room):len(room)]
	}
	m := kafka.Message{Topic: topic, Partition: partition, Offset: r.Offset, Time: r.Time, Key: copied(r.Key), Value: copied(r.Value)}
	if len(r.Headers) > 0 {
		m.Headers = make([]kafka.Header, len(r.Headers))
		for i, h := range r.Headers {
			m.Headers[i] = kafka.Header{Key: string(h.Name), Value: copied(h.Value)}
		}
	}
	return m
}

var (
	errBatch  = errors.New("a record batch is damaged")
	errFormat = errors.New("a record batch is in a format from before Kafka 0.11")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// A batch's attributes.
const (
	compressionBits  = 0x07
	appendTimeBit    = 0x08
	transactionalBit = 0x10
	controlBit       = 0x20
)

// largestRecord is well above what brokers take.
const largestRecord = 1 << 30

// batch is the head of a record batch.
type batch struct {
	base       int64 // offset
	afterward  int64 // the offset after it
	time       int64 // Unix milliseconds
	appended   bool  // all its records have that time
	attributes int16
	producer   int64
	count      int    // of records
	body       []byte // they, maybe compressed
}

// cutBatch reads the first batch of b; whole is false when b ends within it,
// as a broker cuts the last one off where its answer is full.
func cutBatch(b []byte) (head batch, rest []byte, whole bool, err error) {
	c := cursor{b: b}
	head.base = c.int64()
	body := cursor{b: c.take(int(c.int32()))}
	if c.bad {
		return head, nil, false, nil
	}
	body.int32() // leader epoch
	switch magic := body.int8(); {
	case body.bad:
		return head, c.b, true, errBatch
	case magic != 2:
		return head, c.b, true, errFormat
	}
	sum := uint32(body.int32())
	if crc32.Checksum(body.b, castagnoli) != sum {
		return head, c.b, true, errBatch
	}
	head.attributes = body.int16()
	head.afterward = head.base + int64(body.int32()) + 1
	head.time = body.int64()
	latest := body.int64()
	head.producer = body.int64()
	body.skip(2 + 4) // epoch, sequence
	head.count = int(body.int32())
	if body.bad || head.count < 0 || head.afterward <= head.base {
		return head, c.b, true, errBatch
	}
	if head.appended = head.attributes&appendTimeBit != 0; head.appended {
		head.time = latest
	}
	head.body = body.b
	return head, c.b, true, nil
}

// decoder reads the records of batches, a block at a time. What a block holds
// lies in the batch itself, or, where that is compressed, in the decoder's
// memory. It is pooled: only a Log that has an answer needs one.
type decoder struct {
	batch  batch
	left   int                           // records of the batch that weren't read
	raw    []byte                        // of the batch, behind the last record; nil when it is compressed
	frame  frame                         // of LZ4; without a rest where it is compressed otherwise, or all is decompressed
	codec  io.ReadCloser                 // nil when it isn't compressed, or when all is decompressed
	start  func(io.Reader) io.ReadCloser // makes the codec; nil once it did
	spare  bytes.Reader                  // below codec
	packed bool                          // the batch is compressed
	broken error                         // why there is no more to decompress

	block []byte // decompressed
	used  int    // of it: records that were read

	records []Record
	headers []Header
}

// begin starts a block. The last one's memory is used again.
func (d *decoder) begin(size int) {
	d.records, d.headers = d.records[:0], d.headers[:0]
	rest := d.block[d.used:]
	if cap(d.block) < size {
		d.block = append(make([]byte, 0, size), rest...)
	} else {
		d.block = append(d.block[:0], rest...)
	}
	d.used = 0
}

// open begins a batch.
func (d *decoder) open(b batch) error {
	d.batch, d.left = b, b.count
	d.block = d.block[:d.used] // behind the last record of a batch may be anything
	code := b.attributes & compressionBits
	if code == 0 {
		d.raw = b.body
		return nil
	}
	codec := kafka.Compression(code).Codec()
	if codec == nil {
		d.left = 0
		return fmt.Errorf("a record batch is compressed in an unknown way (%d)", code)
	}
	d.packed, d.broken = true, fmt.Errorf("%w: %w", errBatch, io.ErrUnexpectedEOF)
	if kafka.Compression(code) == kafka.Lz4 {
		var ok bool
		if d.frame, ok = openFrame(b.body); ok {
			return nil
		}
	}
	d.spare.Reset(b.body)
	d.start = codec.NewReader
	return nil
}

// close gives up what is left of the batch.
func (d *decoder) close() {
	d.closeCodec()
	d.left, d.raw, d.packed = 0, nil, false
}

// closeCodec gives the decompressor back, as early as can be.
func (d *decoder) closeCodec() {
	d.start, d.frame = nil, frame{}
	if d.codec != nil {
		d.codec.Close()
		d.codec = nil
	}
}

// record reads the batch's next record and appends it to the block, unless it
// comes before from. full is true, and nothing was read, when the block has
// records and no room for another.
func (d *decoder) record(from int64) (full bool, err error) {
	size, head, err := d.size()
	for ; err == nil && head+size > len(d.ahead()); size, head, err = d.size() {
		// Only where the batch is compressed may there be more.
		if len(d.block) == cap(d.block) || len(d.block) >= wholeBatch {
			switch {
			case len(d.records) > 0:
				return true, nil
			case d.used > 0: // by what comes before from
				d.block, d.used = append(d.block[:0], d.ahead()...), 0
			default: // growing no faster than it comes: a damaged size costs nothing
				d.block = slices.Grow(d.block, len(d.block)+1)
			}
		}
		if err := d.more(); err != nil {
			return false, err
		}
	}
	if err != nil {
		return false, err
	}
	c := cursor{b: d.ahead()[head : head+size]}
	d.pass(head + size)
	c.int8() // attributes: none are in use
	sinceBase := c.varint()
	r := Record{Offset: d.batch.base + c.varint()}
	if d.left--; r.Offset < from {
		return false, nil
	}
	if d.batch.appended {
		sinceBase = 0
	}
	if ms := d.batch.time + sinceBase; ms > 0 { // -1: the producer gave none
		r.Time = time.UnixMilli(ms)
	}
	r.Key, r.Value = c.bytes(), c.bytes()
	first := len(d.headers)
	for n := c.varint(); n > 0 && !c.bad; n-- {
		d.headers = append(d.headers, Header{c.bytes(), c.bytes()})
	}
	if c.bad || r.Offset >= d.batch.afterward {
		return false, errBatch
	}
	r.Headers = d.headers[first:len(d.headers):len(d.headers)]
	d.records = append(d.records, r)
	return false, nil
}

// ahead is what is there of the batch behind the last record.
func (d *decoder) ahead() []byte {
	if !d.packed {
		return d.raw
	}
	return d.block[d.used:]
}

// pass moves behind a record.
func (d *decoder) pass(n int) {
	if !d.packed {
		d.raw = d.raw[n:]
	} else {
		d.used += n
	}
}

// size is that of the next record, and of the number before it that says so.
// Where that number isn't there yet, the size is more than there is.
func (d *decoder) size() (size, head int, err error) {
	n, head := varint(d.ahead())
	switch {
	case head < 0, n < 0, n > largestRecord, !d.packed && head+int(n) > len(d.raw), head == 0 && !d.packed:
		return 0, 0, errBatch
	case head == 0:
		return 1, len(d.ahead()), nil
	}
	return int(n), head, nil
}

// wholeBatch is how far a block grows for the rest of a batch, so that the
// answer and the decompressor, which is larger, can be given back.
const wholeBatch = 4 << 20

// more decompresses the batch, or as much as the block has room for. What was
// given out stays where it was.
func (d *decoder) more() error {
	before := len(d.block)
	if d.frame.rest != nil {
		d.moreOfFrame()
	} else {
		d.moreOfCodec()
	}
	if len(d.block) == before {
		return d.broken
	}
	return nil
}

func (d *decoder) moreOfFrame() {
	before := len(d.block)
	for d.frame.rest != nil && (len(d.block) == before || len(d.block) < wholeBatch) {
		var err error
		if d.block, err = d.frame.next(d.block); err != nil {
			d.end(err)
		}
	}
}

// decompressing bounds the decompressors that are at work to what processors
// can do: they hold megabytes.
var decompressing = make(chan struct{}, runtime.GOMAXPROCS(0))

func (d *decoder) moreOfCodec() {
	decompressing <- struct{}{}
	defer func() { <-decompressing }()
	if d.start != nil {
		d.codec, d.start = d.start(&d.spare), nil
	}
	for tries := 0; d.codec != nil; tries++ {
		if len(d.block) == cap(d.block) {
			if cap(d.block) >= wholeBatch {
				break
			}
			d.block = slices.Grow(d.block, 1)
		}
		n, err := d.codec.Read(d.block[len(d.block):cap(d.block)])
		d.block = d.block[:len(d.block)+n]
		if n > 0 {
			tries = 0
		}
		if err == nil && tries == 100 {
			err = io.ErrNoProgress
		}
		if err != nil {
			d.end(err)
		}
	}
}

// end says that there is no more to decompress, and why: that is what is wrong
// where there should be.
func (d *decoder) end(err error) {
	d.broken = fmt.Errorf("%w: %w", errBatch, noEOF(err))
	d.closeCodec()
}
