package ledger

import (
	"hash/maphash"
	"time"
)

// bucketsPerRetention is in how many steps the index forgets.
const bucketsPerRetention = 8

// fact is an Entry as the index keeps it: 24 bytes and no pointer, so that
// the garbage collector never looks inside.
type fact struct {
	at     int64 // Unix ms
	offset int64 // in the shard's source partition, or another's: see part
	part   int32
	state  State
}

// index holds a shard's entries for the retention, bounded by how many
// deliveries the shard makes in that time (106 to 138 bytes each, as measured, with the SIDs' hashes). Whole
// buckets of time are forgotten at once. It is not safe for concurrent use.
type index struct {
	keys    keys
	sids    maphash.Seed
	span    time.Duration // of one bucket
	keep    time.Duration
	buckets []bucket      // oldest first; an entry is in one of them
	open    map[Key]Entry // the intents without an outcome, whole: few
}

type bucket struct {
	until   time.Time // of the clock at insertion
	facts   map[Key]fact
	claimed map[uint64]struct{} // hashes of SIDs
}

func newIndex(retention time.Duration) *index {
	return &index{keys: newKeys(), sids: maphash.MakeSeed(), span: retention / bucketsPerRetention, keep: retention, open: map[Key]Entry{}}
}

// put stores e unless what is known is stronger: sent stays sent, and whoever
// has lost the shard can't settle the intent of its next owner, but by the
// news that it was sent.
func (x *index) put(k Key, e Entry, now time.Time) (stored bool) {
	x.forget(now)
	i, old := x.find(k)
	if i >= 0 && e.State != Sent && (old.state == Sent || e.Generation < x.open[k].Generation) {
		return false
	}
	newest := x.current(e.Time, now)
	if i >= 0 && i != newest {
		delete(x.buckets[i].facts, k)
	}
	b := x.buckets[newest]
	b.facts[k] = fact{at: e.Time.UnixMilli(), offset: e.Position.Offset, part: int32(e.Position.Partition), state: e.State}
	if e.SID != "" {
		b.claimed[maphash.String(x.sids, e.SID)] = struct{}{}
	}
	if e.State == Intent {
		x.open[k] = e
	} else {
		delete(x.open, k)
	}
	return true
}

// find is the bucket that holds an entry, or -1.
func (x *index) find(k Key) (i int, f fact) {
	for i := len(x.buckets) - 1; i >= 0; i-- {
		if f, ok := x.buckets[i].facts[k]; ok {
			return i, f
		}
	}
	return -1, fact{}
}

// get is what is known of a delivery; of an outcome, neither its SID nor its
// generation.
func (x *index) get(k Key) (Entry, bool) {
	if e, ok := x.open[k]; ok {
		return e, true
	}
	i, f := x.find(k)
	if i < 0 {
		return Entry{}, false
	}
	return Entry{State: f.state, Time: time.UnixMilli(f.at), Position: Position{int(f.part), f.offset}}, true
}

// bodies are the body tags of the intents without an outcome to a recipient,
// but for one.
func (x *index) bodies(recipient uint32, but Key) (bodies []uint32) {
	for k, e := range x.open {
		if e.Tags.Recipient == recipient && k != but {
			bodies = append(bodies, e.Tags.Body)
		}
	}
	return bodies
}

// hasClaimed tells whether an entry holds the SID.
func (x *index) hasClaimed(sid string) bool {
	h := maphash.String(x.sids, sid)
	for i := range x.buckets {
		if _, ok := x.buckets[i].claimed[h]; ok {
			return true
		}
	}
	return false
}

func (x *index) len() int {
	n := 0
	for i := range x.buckets {
		n += len(x.buckets[i].facts)
	}
	return n
}

// forget drops the buckets that are past the retention.
func (x *index) forget(now time.Time) {
	for len(x.buckets) > 0 && now.Sub(x.buckets[0].until) > x.keep {
		for k := range x.buckets[0].facts {
			delete(x.open, k)
		}
		x.buckets[0] = bucket{}
		x.buckets = x.buckets[1:]
	}
}

// current is the bucket for an entry of the given time, the newest. Entries
// come roughly in order of time, old ones only while the log is read, so a
// bucket's boundary needn't be exact: what counts is that nothing is forgotten
// early, nor kept for longer because a clock was ahead.
func (x *index) current(at, now time.Time) (newest int) {
	if at.After(now) {
		at = now
	}
	newest = len(x.buckets) - 1
	if newest < 0 || at.After(x.buckets[newest].until) {
		x.buckets = append(x.buckets, bucket{until: at.Add(x.span), facts: map[Key]fact{}, claimed: map[uint64]struct{}{}})
		newest++
	}
	return newest
}
