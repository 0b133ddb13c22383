package status

import (
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"engage-worker/internal/packed"
)

// entry is a message as the index knows it: 24 bytes and no pointer.
type entry struct {
	key   uint64 // a hash of the record key, never 0
	where uint64 // the record's offset, then the state and the number of the next ask, a byte each
	tag   uint32 // a hash of the SID
	next  ticks  // when Twilio is asked; of one that has ended, when it is forgotten
}

func newEntry(key uint64, tag uint32, offset int64, s State, ask int, next ticks) entry {
	return entry{key: key, where: uint64(offset)<<16 | uint64(s)<<8 | uint64(ask), tag: tag, next: next}
}

func (e entry) Empty() bool       { return e.key == 0 }
func (e entry) Hash() uint64      { return e.key }
func (e entry) Same(f entry) bool { return e.key == f.key }
func (e entry) offset() int64     { return int64(e.where >> 16) }
func (e entry) state() State      { return State(e.where >> 8) }
func (e entry) ask() int          { return int(e.where & 0xff) }

// at is e with its record at an offset.
func (e entry) at(offset int64) entry {
	e.where = uint64(offset)<<16 | e.where&0xffff
	return e
}

// ticks are sixteenths of a second since an epoch of the process, 8 years at most.
type ticks uint32

const tick = time.Second / 16

// epoch is before whatever the index has to know of.
var epoch = time.Now().Add(-400 * 24 * time.Hour)

func ticksOf(t time.Time) ticks {
	return ticks(min(max(0, t.Sub(epoch)/tick), math.MaxUint32))
}

func (n ticks) time() time.Time { return epoch.Add(time.Duration(n) * tick) }

// schedule is when Twilio is asked of a message that nobody told of: so long
// after its acceptance, then after twice as long each time, up to longestPause.
type schedule struct{ first time.Duration }

const (
	longestPause = 6 * time.Hour
	lastAsk      = 255
)

// after is how long after the acceptance the ask of a number comes, from 0.
func (s schedule) after(ask int) time.Duration {
	pause, at := s.first, s.first
	for ; ask > 0; ask-- {
		pause = max(s.first, min(2*pause, longestPause))
		at += pause
	}
	return at
}

// from is the number of the first ask that comes later than an age.
func (s schedule) from(age time.Duration) (ask int) {
	pause, at := s.first, s.first
	for ; ask < lastAsk && at <= age; ask++ {
		pause = max(s.first, min(2*pause, longestPause))
		at += pause
	}
	return ask
}

// accepted is when the message of an entry that hasn't ended was accepted, to a tick.
func (s schedule) accepted(e entry) time.Time { return e.next.time().Add(-s.after(e.ask())) }

// pending is the entry of a message of which Twilio is asked at its next time,
// or at once if that was missed.
func (s schedule) pending(key uint64, tag uint32, offset int64, state State, acceptedAt time.Time, now time.Time, atOnce bool) entry {
	ask := s.from(now.Sub(acceptedAt))
	if atOnce && ask > 0 {
		ask--
	}
	return newEntry(key, tag, offset, state, ask, ticksOf(acceptedAt.Add(s.after(ask))))
}

// asked is e after an ask that brought nothing.
func (s schedule) asked(e entry, now time.Time) entry {
	accepted := s.accepted(e)
	ask := min(max(s.from(now.Sub(accepted)), e.ask()+1), lastAsk)
	if ask == e.ask() {
		return e
	}
	return newEntry(e.key, e.tag, e.offset(), e.state(), ask, ticksOf(accepted.Add(s.after(ask))))
}

// hashes are of record keys and SIDs; their seed never leaves the process.
type hashes struct{ seed maphash.Seed }

func (h hashes) key(recordKey []byte) uint64 { return max(1, maphash.Bytes(h.seed, recordKey)) }
func (h hashes) tag(sid string) uint32       { return uint32(maphash.String(h.seed, sid)) }

// index is a shard's. It is not safe for concurrent use.
type index struct {
	hashes
	table packed.Table[entry]
}

// Room bounds the messages that are pending in a process, and counts them. It
// is safe for concurrent use.
type Room struct {
	most int64
	n    atomic.Int64
}

// NewRoom is room for so many messages.
func NewRoom(most int) *Room { return &Room{most: int64(most)} }

// take reports whether there was room for one more.
func (r *Room) take() bool {
	if r.n.Add(1) > r.most {
		r.n.Add(-1)
		return false
	}
	return true
}

func (r *Room) give(n int) { r.n.Add(int64(-n)) }

// ample reports whether a quarter is free.
func (r *Room) ample() bool { return r.n.Load() < r.most*3/4 }
