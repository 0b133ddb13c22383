package acked

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"
)

// TestABatchIsKafkaGos, byte for byte.
func TestABatchIsKafkaGos(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Custom(func(t *rapid.T) []byte {
			if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
				return nil
			}
			return rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "text")
		})
		var records []Record
		var theirs []protocol.Record
		for range rapid.IntRange(1, 40).Draw(t, "records") {
			r := Record{Time: time.UnixMilli(rapid.Int64Range(1, 1<<41).Draw(t, "time")), Key: text.Draw(t, "key"), Value: text.Draw(t, "value")}
			records = append(records, r)
			theirs = append(theirs, protocol.Record{Time: r.Time, Key: protocol.NewBytes(r.Key), Value: protocol.NewBytes(r.Value)})
		}
		var want bytes.Buffer
		if _, err := (&protocol.RecordSet{Version: 2, Records: protocol.NewRecordReader(theirs...)}).WriteTo(&want); err != nil {
			t.Fatal(err)
		}
		if got := appendBatch([]byte("before"), records); string(got) != "before"+want.String() {
			t.Fatalf("%x\nwant\n%x", got, want.Bytes())
		}
	})
}

// TestAnswersThatArentOurs: of another request, or of no sensible size, or cut off. After
// those nobody knows where the next answer begins.
func TestAnswersThatArentOurs(t *testing.T) {
	batches := []*batch{{at: place{"ledger", 1}, records: []Record{{}}}, {at: place{"ledger", 2}, records: []Record{{}}}}
	for name, spoil := range map[string]func(w *wire){
		"another request's": func(w *wire) { w.waiting = slices.Concat(w.answer[:4], []byte{0, 0, 0, 9}, w.answer[8:]) },
		"huge": func(w *wire) {
			w.waiting = append(binary.BigEndian.AppendUint32(nil, largestAnswer+1), w.answer[4:]...)
		},
		"tiny":      func(w *wire) { w.waiting = append(binary.BigEndian.AppendUint32(nil, 3), w.answer[4:]...) },
		"cut off":   func(w *wire) { w.waiting = w.answer[:len(w.answer)-30] },
		"not there": func(w *wire) { w.waiting = nil },
		"of more": func(w *wire) {
			w.waiting = slices.Clone(w.answer)
			w.waiting[11] = 3 // topics
		},
	} {
		w := &wire{answer: answerTo(batches)}
		r := &request{batches: batches}
		if _, err := r.RawExchange(&spoiling{w, spoil}); err == nil {
			t.Error(name, "is taken")
		}
		if _, err := r.RawExchange(w); err != nil || r.said[1] != (said{base: 7}) {
			t.Error(err, r.said)
		}
	}
}

// spoiling is a wire that spoils the answer.
type spoiling struct {
	*wire
	spoil func(*wire)
}

func (s *spoiling) Write(b []byte) (int, error) {
	n, err := s.wire.Write(b)
	s.spoil(s.wire)
	return n, err
}

// FuzzAnswer: whatever a broker answers, each batch is told something, and what the answer
// doesn't speak of isn't acknowledged.
func FuzzAnswer(f *testing.F) {
	batches := []*batch{{at: place{"ledger", 1}}, {at: place{"ledger", 2}}, {at: place{"status", 1}}}
	f.Add(answerTo(batches)[8:])
	f.Add(answerTo(batches[1:])[8:])
	f.Fuzz(func(t *testing.T, answer []byte) {
		r := &request{batches: batches}
		err := r.read(answer)
		if len(r.said) != len(batches) {
			t.Fatal(r.said)
		}
		for i, s := range r.said {
			if s.err == nil && err == nil && !bytes.Contains(answer, []byte(batches[i].at.topic)) {
				t.Fatalf("%v is acknowledged by %x", batches[i].at, answer)
			}
		}
	})
}
