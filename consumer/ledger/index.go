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
	buckets []bucket     // oldest first
	open    map[Key]Tags // of intents without an outcome: few
}

type bucket struct {
	until   time.Time // of the clock at insertion
	facts   map[Key]fact
	claimed map[uint64]struct{} // hashes of SIDs
}

func newIndex(retention time.Duration) *index {
	return &index{keys: newKeys(), sids: maphash.MakeSeed(), span: retention / bucketsPerRetention, keep: retention, open: map[Key]Tags{}}
}

// put stores e unless what is known is stronger: sent stays sent.
func (x *index) put(k Key, e Entry, now time.Time) (stored bool) {
	if old, ok := x.get(k); ok && old.State == Sent && e.State != Sent {
		return false
	}
	if e.State == Intent && e.Tags != (Tags{}) {
		x.open[k] = e.Tags
	} else {
		delete(x.open, k)
	}
	b := x.current(e.Time, now)
	b.facts[k] = fact{at: e.Time.UnixMilli(), offset: e.Position.Offset, part: int32(e.Position.Partition), state: e.State}
	if e.SID != "" {
		b.claimed[maphash.String(x.sids, e.SID)] = struct{}{}
	}
	return true
}

func (x *index) get(k Key) (Entry, bool) {
	for i := len(x.buckets) - 1; i >= 0; i-- {
		if f, ok := x.buckets[i].facts[k]; ok {
			return Entry{State: f.state, Time: time.UnixMilli(f.at), Position: Position{int(f.part), f.offset}}, true
		}
	}
	return Entry{}, false
}

// bodies are the body tags of the intents without an outcome to a recipient,
// but for one.
func (x *index) bodies(recipient uint32, but Key) (bodies []uint32) {
	for k, tags := range x.open {
		if tags.Recipient == recipient && k != but {
			bodies = append(bodies, tags.Body)
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

// current is the bucket for an entry of the given time; forgets what is past
// the retention. Entries come roughly in order of time, old ones only while
// the log is read, so a bucket boundary needn't be exact: what counts is that
// nothing is forgotten early.
func (x *index) current(at, now time.Time) *bucket {
	for len(x.buckets) > 0 && now.Sub(x.buckets[0].until) > x.keep {
		for k := range x.buckets[0].facts {
			delete(x.open, k)
		}
		x.buckets[0] = bucket{}
		x.buckets = x.buckets[1:]
	}
	if n := len(x.buckets); n > 0 && !at.After(x.buckets[n-1].until) {
		return &x.buckets[n-1]
	}
	x.buckets = append(x.buckets, bucket{until: at.Add(x.span), facts: map[Key]fact{}, claimed: map[uint64]struct{}{}})
	return &x.buckets[len(x.buckets)-1]
}
