package records

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// stored is a record batch as Kafka stores it.
type stored struct {
	base       int64
	last       int32 // offset delta of the last record that there once was
	attributes int16
	first, max int64 // timestamps
	producer   int64
	records    []Record
	count      int32 // instead of the records'
	magic      int8  // instead of 2
	codec      kafka.Compression
	body       []byte // instead of the records
	damaged    bool
}

func (b stored) bytes() []byte {
	body := b.body
	for _, r := range b.records {
		rec := []byte{0}
		rec = binary.AppendVarint(rec, r.Time.UnixMilli()-b.first)
		rec = binary.AppendVarint(rec, r.Offset-b.base)
		for _, field := range [][]byte{r.Key, r.Value} {
			rec = appendBytes(rec, field)
		}
		rec = binary.AppendVarint(rec, int64(len(r.Headers)))
		for _, h := range r.Headers {
			rec = appendBytes(appendBytes(rec, h.Name), h.Value)
		}
		body = append(binary.AppendVarint(body, int64(len(rec))), rec...)
	}
	if b.codec != 0 {
		var packed bytes.Buffer
		w := b.codec.Codec().NewWriter(&packed)
		w.Write(body)
		w.Close()
		body = packed.Bytes()
	}
	count := b.count
	if count == 0 {
		count = int32(len(b.records))
	}
	last := b.last
	if last == 0 && len(b.records) > 0 {
		last = int32(b.records[len(b.records)-1].Offset - b.base)
	}
	summed := binary.BigEndian.AppendUint16(nil, uint16(b.attributes)|uint16(b.codec))
	summed = binary.BigEndian.AppendUint32(summed, uint32(last))
	summed = binary.BigEndian.AppendUint64(summed, uint64(b.first))
	summed = binary.BigEndian.AppendUint64(summed, uint64(b.max))
	summed = binary.BigEndian.AppendUint64(summed, uint64(b.producer))
	summed = append(summed, make([]byte, 6)...) // epoch, sequence
	summed = binary.BigEndian.AppendUint32(summed, uint32(count))
	summed = append(summed, body...)
	sum := crc32.Checksum(summed, crc32.MakeTable(crc32.Castagnoli))
	if b.damaged {
		sum++
	}
	out := binary.BigEndian.AppendUint64(nil, uint64(b.base))
	out = binary.BigEndian.AppendUint32(out, uint32(4+1+4+len(summed)))
	out = append(out, 0, 0, 0, 0, byte(2+b.magic))
	out = binary.BigEndian.AppendUint32(out, sum)
	return append(out, summed...)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

// rec is a record with the offset as its text.
func rec(offset int64) Record {
	return Record{Offset: offset, Time: time.UnixMilli(1000 + offset), Key: fmt.Append(nil, "k", offset), Value: fmt.Append(nil, "v", offset)}
}

const testBlock = 1 << 20

// given is a Log over answers; at their end there is io.EOF.
func given(offset int64, answers ...answer) *Log {
	return newLog(offset, Bytes{Answer: 1 << 20, Block: testBlock}, func(context.Context, int64, int) (answer, error) {
		if len(answers) == 0 {
			return answer{}, io.EOF
		}
		a := answers[0]
		answers = answers[1:]
		return a, nil
	}, func(answer) {})
}

// served is a Log that gets answers of batches.
func served(offset int64, answers ...[]stored) *Log {
	var all []answer
	for _, batches := range answers {
		a := answer{start: 3, end: 1000}
		for _, b := range batches {
			a.batches = append(a.batches, b.bytes()...)
		}
		all = append(all, a)
	}
	return given(offset, all...)
}

// offsets reads n blocks and tells the offsets of each.
func offsets(t *testing.T, l *Log, n int) (blocks [][]int64) {
	t.Helper()
	for range n {
		block, err := l.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := []int64{}
		for _, r := range block {
			got = append(got, r.Offset)
		}
		blocks = append(blocks, got)
	}
	return blocks
}

func TestNextGivesWhatIsThere(t *testing.T) {
	want := []Record{
		{Offset: 5, Time: time.UnixMilli(1005), Key: []byte("k"), Value: []byte("v")},
		{Offset: 6, Time: time.UnixMilli(1006), Headers: []Header{{[]byte("a"), []byte("1")}, {[]byte("a"), nil}, {[]byte{}, []byte{}}}},
		{Offset: 9, Time: time.UnixMilli(1001), Key: []byte{}, Value: []byte{}},
	}
	for codec := range kafka.Compression(5) {
		l := served(5, []stored{{base: 5, first: 1000, records: want, codec: codec}})
		got, err := l.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if len(got[i].Headers) == 0 {
				got[i].Headers = nil
			}
		}
		if !reflect.DeepEqual(got, want) || l.Offset() != 10 || l.Start() != 3 || l.End() != 1000 {
			t.Errorf("%s: got  %+v\nwant %+v; at %d", codec, got, want, l.Offset())
		}
	}
}

func TestNextStepsOverWhatIsNoRecord(t *testing.T) {
	truncated := stored{base: 40, records: []Record{rec(40)}}.bytes()
	for name, tc := range map[string]struct {
		from    int64
		batches []stored
		want    []int64
		next    int64
	}{
		"asked for the middle of a batch": {7, []stored{{base: 5, records: []Record{rec(5), rec(6), rec(7), rec(8)}}}, []int64{7, 8}, 9},
		"compacted in between":            {5, []stored{{base: 5, records: []Record{rec(6), rec(9)}}, {base: 20, records: []Record{rec(20)}}}, []int64{6, 9, 20}, 21},
		"compacted tail":                  {5, []stored{{base: 5, last: 30, codec: kafka.Zstd, records: []Record{rec(6)}}}, []int64{6}, 36},
		"compacted away":                  {5, []stored{{base: 5, last: 3, count: -0}, {base: 9, records: []Record{rec(9)}}}, []int64{9}, 10},
		"a marker":                        {5, []stored{{base: 5, attributes: controlBit, records: []Record{rec(5)}}, {base: 6, records: []Record{rec(6)}}}, []int64{6}, 7},
		"only a marker":                   {5, []stored{{base: 5, attributes: controlBit, records: []Record{rec(5)}}}, []int64{}, 6},
		"a batch before":                  {5, []stored{{base: 1, records: []Record{rec(1)}}, {base: 5, records: []Record{rec(5)}}}, []int64{5}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			l := served(tc.from, tc.batches)
			if got := offsets(t, l, 1)[0]; !reflect.DeepEqual(got, tc.want) || l.Offset() != tc.next {
				t.Errorf("got %v, next %d; want %v, next %d", got, l.Offset(), tc.want, tc.next)
			}
			// The answer is used up.
			if got, err := l.Next(t.Context()); len(got) != 0 || l.Offset() != tc.next || !errors.Is(err, io.EOF) {
				t.Errorf("then %v (%v), next %d", got, err, l.Offset())
			}
		})
	}
	t.Run("a batch that was cut off", func(t *testing.T) {
		for cut := range truncated {
			l := given(39, answer{batches: append(stored{base: 39, records: []Record{rec(39)}}.bytes(), truncated[:cut]...)}, answer{batches: truncated[:cut]})
			if got := offsets(t, l, 1)[0]; !reflect.DeepEqual(got, []int64{39}) || l.Offset() != 40 {
				t.Fatalf("cut after %d bytes: %v, next %d", cut, got, l.Offset())
			}
			if got, err := l.Next(t.Context()); len(got) > 0 || !errors.Is(err, errPartial) || l.Offset() != 40 {
				t.Fatalf("cut after %d bytes, then %v (%v), next %d", cut, got, err, l.Offset())
			}
		}
	})
}

func TestNextTellsTheTime(t *testing.T) {
	none := Record{Offset: 5, Time: time.UnixMilli(-1)}
	for name, tc := range map[string]struct {
		batch stored
		want  time.Time
	}{
		"the producer's": {stored{base: 5, first: 900, max: 2000, records: []Record{rec(5)}}, time.UnixMilli(1005)},
		"the broker's":   {stored{base: 5, first: 900, max: 2000, attributes: appendTimeBit, records: []Record{rec(5)}}, time.UnixMilli(2000)},
		"none":           {stored{base: 5, first: -1, max: -1, records: []Record{none}}, time.Time{}},
	} {
		block, err := served(5, []stored{tc.batch}).Next(t.Context())
		if err != nil || len(block) != 1 || !block[0].Time.Equal(tc.want) {
			t.Errorf("%s: %+v (%v), want %v", name, block, err, tc.want)
		}
	}
}

func TestNextRefusesWhatIsDamaged(t *testing.T) {
	good := stored{base: 5, records: []Record{rec(5)}}
	for name, tc := range map[string]struct {
		bad  stored
		want error
	}{
		"the sum":                       {stored{base: 6, records: []Record{rec(6)}, damaged: true}, errBatch},
		"fewer records than it says":    {stored{base: 6, last: 2, count: 3}, errBatch},
		"a negative count":              {stored{base: 6, records: []Record{rec(6)}, count: -1}, errBatch},
		"no record's length":            {stored{base: 6, last: 2, count: 1, body: bytes.Repeat([]byte{0x80}, 20)}, errBatch},
		"a negative length":             {stored{base: 6, last: 2, count: 1, body: []byte{1}}, errBatch},
		"a length beyond the end":       {stored{base: 6, last: 2, count: 1, body: binary.AppendVarint(nil, 1<<29)}, errBatch},
		"a length beyond all bounds":    {stored{base: 6, last: 2, count: 1, body: binary.AppendVarint(nil, 1<<40)}, errBatch},
		"a key beyond the record":       {stored{base: 6, last: 2, count: 1, body: []byte{8, 0, 0, 0, 100}}, errBatch},
		"headers beyond the record":     {stored{base: 6, last: 2, count: 1, body: []byte{12, 0, 0, 0, 1, 1, 100}}, errBatch},
		"an offset beyond the batch":    {stored{base: 6, last: 1, records: []Record{rec(20)}}, errBatch},
		"an old format":                 {stored{base: 6, records: []Record{rec(6)}, magic: -1}, errFormat},
		"an unknown compression":        {stored{base: 6, records: []Record{rec(6)}, attributes: 7}, nil},
		"what isn't compressed as said": {stored{base: 6, last: 2, count: 1, body: []byte("plain"), attributes: int16(kafka.Lz4)}, errBatch},
	} {
		t.Run(name, func(t *testing.T) {
			l := served(5, []stored{good, tc.bad}, []stored{{base: 6, records: []Record{rec(6)}}})
			block, err := l.Next(t.Context())
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			// What came before comes whole, and reading can go on there.
			if len(block) != 1 || block[0].Offset != 5 || l.Offset() != 6 {
				t.Errorf("%d records, next %d", len(block), l.Offset())
			}
			if got := offsets(t, l, 1)[0]; !reflect.DeepEqual(got, []int64{6}) {
				t.Errorf("then %v", got)
			}
		})
	}
}

// Compression makes an answer of some bytes into a batch of any size: it goes
// out in pieces.
func TestBlocksAreBounded(t *testing.T) {
	const n, size = 5000, 5000
	var all []Record
	for i := range int64(n) {
		all = append(all, Record{Offset: i, Time: time.UnixMilli(1), Value: bytes.Repeat([]byte{'x'}, size)})
	}
	large := Record{Offset: n, Time: time.UnixMilli(1), Value: bytes.Repeat([]byte{'y'}, 3*testBlock)}
	l := served(0, []stored{{records: all, codec: kafka.Zstd}, {base: n, records: []Record{large}}})
	next := int64(0)
	for next <= n {
		block, err := l.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, r := range block {
			if r.Offset != next || len(r.Value) != size && r.Offset != n {
				t.Fatalf("offset %d with %d bytes, want offset %d", r.Offset, len(r.Value), next)
			}
			next++
			total += len(r.Value)
		}
		if len(block) == 0 || len(block) > blockRecords || total > 2*wholeBatch && next <= n {
			t.Fatalf("a block of %d records and %d bytes", len(block), total)
		}
	}
}

// Who takes all that he is given gets more the next time, and who gives it up
// gets little again.
func TestWhatIsAskedForGrows(t *testing.T) {
	var asked []int
	at := int64(0)
	l := newLog(0, Bytes{Answer: 1 << 20, Block: testBlock}, func(_ context.Context, offset int64, maxBytes int) (answer, error) {
		asked = append(asked, maxBytes)
		return answer{batches: stored{base: offset, records: []Record{rec(offset)}}.bytes()}, nil
	}, func(answer) {})
	for range 4 {
		offsets(t, l, 1)
		at++
	}
	l.SeekTo(at)
	offsets(t, l, 2)
	if want := []int{128 << 10, 512 << 10, 1 << 20, 1 << 20, 128 << 10, 512 << 10}; !slices.Equal(asked, want) {
		t.Errorf("asked for %d bytes, want %d", asked, want)
	}
}

// Whatever a broker sends: no panic, no offset twice or backwards, and an end.
func FuzzNext(f *testing.F) {
	f.Add(stored{base: 5, records: []Record{rec(5), rec(6)}}.bytes(), int64(5))
	f.Add(stored{base: 5, codec: kafka.Lz4, records: []Record{{Offset: 5, Headers: []Header{{Name: []byte("n")}}}}}.bytes(), int64(0))
	f.Add(stored{base: 5, attributes: controlBit, records: []Record{rec(5)}}.bytes(), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, from int64) {
		// Let what was changed come through the sum's check.
		if len(b) > 21 {
			if size := int(int32(binary.BigEndian.Uint32(b[8:]))); size > 9 && 12+size <= len(b) {
				binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:12+size], castagnoli))
			}
		}
		l := given(from, answer{batches: b, aborted: []aborted{{producer: 0, first: from}}})
		last := from - 1
		for {
			block, err := l.Next(t.Context())
			for _, r := range block {
				if r.Offset <= last {
					t.Fatalf("offset %d after %d", r.Offset, last)
				}
				last = r.Offset
			}
			if l.Offset() < from || len(block) > 0 && l.Offset() <= last {
				t.Fatalf("next is %d after %d", l.Offset(), last)
			}
			if errors.Is(err, io.EOF) {
				return
			}
		}
	})
}

// Two producers' transactions, of which the broker's list says which are
// aborted, from where on.
func TestNextLeavesOutWhatIsAborted(t *testing.T) {
	of := func(producer, offset int64) stored {
		return stored{base: offset, producer: producer, attributes: transactionalBit, records: []Record{rec(offset)}}
	}
	ends := func(producer, offset int64) stored {
		b := of(producer, offset)
		b.attributes |= controlBit
		return b
	}
	batches := []stored{
		of(1, 0), of(2, 1), {base: 2, records: []Record{rec(2)}}, // 2: of no transaction
		ends(1, 3), of(1, 4), of(2, 5), ends(2, 6), of(2, 7), ends(2, 8), ends(1, 9), {base: 10, producer: 1, records: []Record{rec(10)}},
		of(1, 11),
	}
	var all []byte
	for _, b := range batches {
		all = append(all, b.bytes()...)
	}
	for _, tc := range []struct {
		aborted []aborted
		from    int64
		want    []int64
	}{
		{nil, 0, []int64{0, 1, 2, 4, 5, 7, 10, 11}},
		{[]aborted{{1, 0}}, 0, []int64{1, 2, 4, 5, 7, 10, 11}},
		{[]aborted{{1, 0}, {2, 1}}, 0, []int64{2, 4, 7, 10, 11}},
		{[]aborted{{2, 1}, {1, 4}}, 0, []int64{0, 2, 7, 10, 11}},
		{[]aborted{{2, 1}, {2, 7}}, 0, []int64{0, 2, 4, 10, 11}},
		{[]aborted{{2, 1}}, 5, []int64{7, 10, 11}}, // it began before the answer
		{[]aborted{{1, 11}}, 0, []int64{0, 1, 2, 4, 5, 7, 10}},
	} {
		l := given(tc.from, answer{batches: all, aborted: tc.aborted})
		if got := offsets(t, l, 1)[0]; !reflect.DeepEqual(got, tc.want) || l.Offset() != 12 {
			t.Errorf("%v from %d: got %v, next %d; want %v", tc.aborted, tc.from, got, l.Offset(), tc.want)
		}
	}
}

// BenchmarkNext reads a batch of a thousand records of 341 bytes again and again.
func BenchmarkNext(b *testing.B) {
	for _, codec := range []kafka.Compression{0, kafka.Lz4} {
		b.Run(codec.String(), func(b *testing.B) {
			batch := stored{codec: codec}
			for i := range int64(1000) {
				batch.records = append(batch.records, Record{
					Offset: i, Time: time.UnixMilli(i), Key: fmt.Append(nil, i), Value: bytes.Repeat(fmt.Appendf(nil, "%31d", i*7919), 11),
				})
			}
			batches := batch.bytes()
			l := newLog(0, Bytes{Answer: 1 << 20, Block: testBlock}, func(context.Context, int64, int) (answer, error) {
				return answer{batches: batches}, nil
			}, func(answer) {})
			b.ReportAllocs()
			for b.Loop() {
				if block, err := l.Next(b.Context()); err != nil || len(block) != len(batch.records) {
					b.Fatalf("%d records (%v)", len(block), err)
				}
				l.SeekTo(0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch.records)), "ns/record")
		})
	}
}
