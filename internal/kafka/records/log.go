package records

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// blockRecords bounds the records of a block, beside its bytes.
const blockRecords = 1000

// firstAnswer is about what a Log asks for at first, and after what was fetched
// was given up: who takes all of it gets four times as much the next time. So
// many Logs that can't go on hold little memory.
const firstAnswer = 128 << 10

// errPartial is an answer that holds nothing that is whole.
var errPartial = errors.New("the broker's answer holds only a part of a record batch")

// Log reads one partition. It is not safe for concurrent use, but for Start, End, Seen and EndsAt.
type Log struct {
	// fetch waits for an answer that isn't empty; give gives its memory back.
	fetch func(ctx context.Context, offset int64, maxBytes int) (answer, error)
	give  func(answer)
	bytes Bytes
	ask   int // bytes of the next answer, about

	next       int64 // the first offset that wasn't given out
	until      int64 // no more than a record is decoded from there on; 0: there is no such end
	start, end atomic.Int64
	seen       atomic.Int64 // when they were, Unix ns

	held    bool // there is an answer
	answer  answer
	rest    []byte             // of it: batches that weren't begun
	ongoing []aborted          // of its aborted transactions: those that begin later
	dead    map[int64]struct{} // producers in an aborted transaction here
	decoder *decoder           // nil without an answer
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

func newLog(offset int64, bytes Bytes, fetch func(context.Context, int64, int) (answer, error), give func(answer)) *Log {
	l := &Log{fetch: fetch, give: give, bytes: bytes, ask: firstAnswer, next: offset}
	l.start.Store(-1)
	l.end.Store(-1)
	return l
}

// Offset is where the next block begins: after all records that were given
// out, and after what isn't there or isn't to be read behind them.
func (l *Log) Offset() int64 { return l.next }

// Start and End are the log's first offset and the one after the last that can
// be read, as the broker last said; -1 before it did. An open transaction ends
// what can be read. Both are safe for concurrent use.
func (l *Log) Start() int64 { return l.start.Load() }
func (l *Log) End() int64   { return l.end.Load() }

// Seen is when the broker said so; the zero time of Unix before it did. It is
// safe for concurrent use.
func (l *Log) Seen() time.Time { return time.Unix(0, l.seen.Load()) }

// EndsAt tells the Log where it ends, from Cluster.Ends: a Log that nobody
// reads hears of nothing. It is safe for concurrent use.
func (l *Log) EndsAt(end int64) {
	l.end.Store(end)
	l.seen.Store(time.Now().UnixNano())
}

// saw notes what an answer says.
func (l *Log) saw(a answer) {
	l.start.Store(a.start)
	l.EndsAt(a.end)
}

// Close gives the memory of what was fetched back, and of the last block. The
// Log may be used again.
func (l *Log) Close() { l.drop() }

// SeekTo gives up what was fetched, with the last block, and goes on at an offset.
func (l *Log) SeekTo(offset int64) {
	l.drop()
	l.next, l.ask = offset, firstAnswer
}

// Next gives the next records, in their order, each once. It waits until there
// are some; it returns none only where it passed over offsets that hold none:
// markers, aborted transactions, what compaction took away. Records that come
// with an error are whole. After an error Next asks the broker again, from
// Offset on; kafka.OffsetOutOfRange says that there is no such offset.
func (l *Log) Next(ctx context.Context) ([]Record, error) {
	if !l.held || l.decoder.left == 0 && len(l.rest) == 0 {
		l.drop()
		a, err := l.fetch(ctx, l.next, min(l.ask, l.bytes.Answer))
		if err != nil {
			return nil, err
		}
		l.ask = min(4*l.ask, l.bytes.Answer)
		l.take(a)
	}
	d, before := l.decoder, l.next
	d.begin(min(l.bytes.Block, 4*len(l.answer.batches)))
	err := l.fill()
	if err == nil && len(d.records) == 0 && l.next == before {
		err = errPartial
	}
	if err != nil {
		d.close()
		l.rest = nil
	}
	return d.records, err
}

// take begins an answer.
func (l *Log) take(a answer) {
	l.saw(a)
	l.held, l.answer, l.rest, l.ongoing = true, a, a.batches, a.aborted
	clear(l.dead)
	l.decoder = decoders.Get().(*decoder)
}

// drop gives the answer and all that was made of it back.
func (l *Log) drop() {
	if !l.held {
		return
	}
	d := l.decoder
	d.close()
	d.block, d.used = d.block[:0], 0
	if cap(d.block) <= keptBytes {
		decoders.Put(d)
	}
	l.give(l.answer)
	l.held, l.answer, l.rest, l.ongoing, l.decoder = false, answer{}, nil, nil, nil
}

// fill makes a block of what the answer still has.
func (l *Log) fill() error {
	d := l.decoder
	for len(d.records) < blockRecords && (l.until == 0 || l.next < l.until) {
		if d.left == 0 {
			if more, err := l.openBatch(); err != nil || !more {
				return err
			}
			continue
		}
		full, err := d.record(l.next)
		if err != nil || full {
			return err
		}
		if n := len(d.records); n > 0 {
			l.next = max(l.next, d.records[n-1].Offset+1)
		}
		if d.left == 0 {
			d.close()
			l.next = max(l.next, d.batch.afterward)
		}
	}
	return nil
}

// openBatch begins the answer's next batch, or passes over it; more is false
// when none came whole.
func (l *Log) openBatch() (more bool, err error) {
	b, rest, whole, err := cutBatch(l.rest)
	l.rest = rest
	if err != nil || !whole {
		return false, err
	}
	if aborted := l.isAborted(b); aborted || b.attributes&controlBit != 0 || b.count == 0 || b.afterward <= l.next {
		l.next = max(l.next, b.afterward)
		return true, nil
	}
	return true, l.decoder.open(b)
}

// isAborted reports whether a batch belongs to an aborted transaction. It is
// to be asked about every batch, in order: a transaction of the answer's list
// begins where the list says, and ends with its producer's marker.
func (l *Log) isAborted(b batch) bool {
	for len(l.ongoing) > 0 && l.ongoing[0].first < b.afterward {
		if l.dead == nil {
			l.dead = map[int64]struct{}{}
		}
		l.dead[l.ongoing[0].producer] = struct{}{}
		l.ongoing = l.ongoing[1:]
	}
	if len(l.dead) == 0 || b.attributes&transactionalBit == 0 {
		return false
	}
	if b.attributes&controlBit != 0 {
		delete(l.dead, b.producer)
		return false
	}
	_, dead := l.dead[b.producer]
	return dead
}
