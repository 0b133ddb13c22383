package records

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// asked is a question about partitions, each of a topic and at an offset.
func asked(places ...place) (*question, *[]got) {
	answers := &[]got{}
	q := &question{clientID: "me", wait: 250 * time.Millisecond, maxBytes: 1 << 20, places: places}
	q.answered = func(p *place, a answer, err error) {
		a.batches, a.buffer = bytes.Clone(a.batches), nil
		*answers = append(*answers, got{p.seat.topic, p.seat.partition, a, err})
	}
	return q, answers
}

type got struct {
	topic     string
	partition int32
	answer    answer
	err       error
}

func at(topic string, partition int32, offset int64) place {
	return place{seat: &seat{topic: topic, partition: partition}, offset: offset, maxBytes: 1000}
}

// TestTheQuestionIsKafkas: it is what kafka-go would write.
func TestTheQuestionIsKafkas(t *testing.T) {
	q, _ := asked(at("a", 3, 17), at("a", 1, 1<<40), at("b", 0, 0))
	part := func(partition int32, offset int64) fetch.RequestPartition {
		return fetch.RequestPartition{Partition: partition, CurrentLeaderEpoch: -1, FetchOffset: offset, LogStartOffset: -1, PartitionMaxBytes: 1000}
	}
	var want bytes.Buffer
	if err := protocol.WriteRequest(&want, fetchVersion, 7, "me", &fetch.Request{
		ReplicaID: -1, MaxWaitTime: 250, MinBytes: 1, MaxBytes: 1 << 20, IsolationLevel: 1, SessionEpoch: -1,
		Topics: []fetch.RequestTopic{
			{Topic: "a", Partitions: []fetch.RequestPartition{part(3, 17), part(1, 1<<40)}},
			{Topic: "b", Partitions: []fetch.RequestPartition{part(0, 0)}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	if have := q.encode(7); !bytes.Equal(have, want.Bytes()) {
		t.Errorf("got\n%x\nwant\n%x", have, want.Bytes())
	}
}

// said is what a broker says of a partition.
type said struct {
	partition       int32
	code            int16
	high, stable    int64
	start           int64
	aborted         []aborted
	batches         string
	size, abortions int32 // instead of the true ones, where not 0
}

// reply is an answer's bytes.
func encoded(throttle int32, code int16, topics map[string][]said, order ...string) []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, uint32(throttle))
	b = be.AppendUint16(b, uint16(code))
	b = be.AppendUint32(b, 0)
	b = be.AppendUint32(b, uint32(len(order)))
	for _, topic := range order {
		b = append(be.AppendUint16(b, uint16(len(topic))), topic...)
		b = be.AppendUint32(b, uint32(len(topics[topic])))
		for _, s := range topics[topic] {
			b = be.AppendUint32(b, uint32(s.partition))
			b = be.AppendUint16(b, uint16(s.code))
			b = be.AppendUint64(b, uint64(s.high))
			b = be.AppendUint64(b, uint64(s.stable))
			b = be.AppendUint64(b, uint64(s.start))
			n, size := int32(len(s.aborted)), int32(len(s.batches))
			if s.abortions != 0 {
				n = s.abortions
			}
			if s.size != 0 {
				size = s.size
			}
			b = be.AppendUint32(b, uint32(n))
			for _, a := range s.aborted {
				b = be.AppendUint64(be.AppendUint64(b, uint64(a.producer)), uint64(a.first))
			}
			b = be.AppendUint32(b, 0xffffffff) // preferred replica
			b = append(be.AppendUint32(b, uint32(size)), s.batches...)
		}
	}
	return b
}

func reading(b []byte) *wire {
	return &wire{r: bytes.NewReader(b), left: len(b), alive: func() error { return nil }}
}

func TestAnAnswerIsReadPartitionByPartition(t *testing.T) {
	q, answers := asked(at("a", 3, 0), at("a", 1, 0), at("b", 0, 0), at("b", 9, 0))
	b := encoded(1500, 0, map[string][]said{
		"b": {{partition: 0, code: int16(kafka.NotLeaderForPartition), high: -1, stable: -1, start: -1, abortions: -1, size: -1}},
		"a": {
			{partition: 1, high: 42, stable: 41, start: 7, aborted: []aborted{{5, 30}, {4, 20}}, batches: "abc"},
			{partition: 3, high: 9, stable: -1, abortions: -1, size: -1},
		},
	}, "b", "a")
	if err := q.read(reading(b)); err != nil {
		t.Fatal(err)
	}
	want := []got{
		{"b", 0, answer{}, kafka.NotLeaderForPartition},
		{"a", 1, answer{start: 7, end: 41, nearest: -1, batches: []byte("abc"), aborted: []aborted{{4, 20}, {5, 30}}}, nil},
		{"a", 3, answer{end: 9, nearest: -1}, nil},
	}
	if !reflect.DeepEqual(*answers, want) {
		t.Errorf("got  %+v\nwant %+v", *answers, want)
	}
	if q.throttle != 1500*time.Millisecond || q.bytes != 3 {
		t.Errorf("throttled for %v after %d bytes", q.throttle, q.bytes)
	}
	var open []int32
	for _, p := range q.places {
		if !p.done {
			open = append(open, p.seat.partition)
		}
	}
	if !reflect.DeepEqual(open, []int32{9}) {
		t.Errorf("not answered: %v", open)
	}
	for cut := range b {
		q, _ := asked(at("a", 3, 0), at("a", 1, 0), at("b", 0, 0))
		short := reading(b[:cut])
		short.left = len(b)
		if err := q.read(short); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", cut, len(b), err)
		}
		if err := q.read(reading(b[:cut])); err == nil {
			t.Errorf("an answer of %d of its %d bytes is none", cut, len(b))
		}
	}
}

func TestAnAnswerThatIsNone(t *testing.T) {
	one := func(s said) []byte { return encoded(0, 0, map[string][]said{"a": {s}}, "a") }
	for name, tc := range map[string]struct {
		b    []byte
		want error
	}{
		"a quota is used up":           {encoded(900, 0, nil), nil},
		"an error of the whole":        {encoded(0, int16(kafka.FetchSessionIDNotFound), nil), kafka.FetchSessionIDNotFound},
		"bytes behind it":              {append(one(said{partition: 1}), 0), errAnswer},
		"a topic nobody asked for":     {encoded(0, 0, map[string][]said{"x": {{partition: 1}}}, "x"), errAnswer},
		"a partition nobody asked for": {one(said{partition: 2}), errAnswer},
		"a partition twice":            {encoded(0, 0, map[string][]said{"a": {{partition: 1}, {partition: 1}}}, "a"), errAnswer},
		"more batches than there are":  {one(said{partition: 1, size: 1 << 30}), errAnswer},
		"more aborted than there are":  {one(said{partition: 1, abortions: 1 << 30}), errAnswer},
	} {
		q, answers := asked(at("a", 1, 0))
		if err := q.read(reading(tc.b)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v (%+v)", name, err, tc.want, *answers)
		}
	}
}

// Whatever a broker says: no panic, no more memory than it sends, and each
// partition is answered once at most.
func FuzzAnswer(f *testing.F) {
	f.Add(encoded(1, 0, map[string][]said{"a": {{partition: 1, aborted: []aborted{{1, 2}}, batches: "abc"}, {partition: 2, code: 6}}, "b": {{partition: 0}}}, "a", "b"))
	f.Add(encoded(1, 70, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, answers := asked(at("a", 1, 0), at("a", 2, 0), at("b", 0, 0))
		err := q.read(reading(b))
		bytes := 0
		seen := map[place]bool{}
		for _, a := range *answers {
			p := place{turn: uint64(a.partition)}
			if a.topic == "b" {
				p.offset = 1
			}
			if seen[p] {
				t.Fatalf("%s/%d was answered twice", a.topic, a.partition)
			}
			seen[p] = true
			bytes += len(a.answer.batches)
		}
		if bytes > len(b) {
			t.Fatalf("%d bytes of batches in %d", bytes, len(b))
		}
		done := 0
		for _, p := range q.places {
			if p.done {
				done++
			}
		}
		if done != len(*answers) || err == nil && len(b) < 14 {
			t.Fatalf("%d of %d are done (%v)", done, len(*answers), err)
		}
	})
}
