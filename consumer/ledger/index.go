package ledger

import (
	"hash/maphash"
	"slices"
	"time"

	"engage-worker/internal/packed"
)

// bucketsPerRetention is in how many steps the index forgets.
const bucketsPerRetention = 8

// fact is an Entry as a table keeps it: 32 bytes and no pointer.
type fact struct {
	key       Key
	offset    int64  // of the position
	partition uint32 // of the position; the lowest bits are the state
	mark      Mark
}

const stateBits = 3

func newFact(k Key, e Entry) fact {
	return fact{key: k, offset: e.Position.Offset, partition: uint32(e.Position.Partition)<<stateBits | uint32(e.State), mark: e.Mark}
}

func (f fact) state() State     { return State(f.partition & (1<<stateBits - 1)) }
func (f fact) Empty() bool      { return f.state() == 0 }
func (f fact) Hash() uint64     { return f.key.hi }
func (f fact) Same(g fact) bool { return f.key == g.key }

func (f fact) position() Position { return Position{int(f.partition >> stateBits), f.offset} }

func (f fact) entry() Entry { return Entry{State: f.state(), Position: f.position(), Mark: f.mark} }

// claim is the hash of a SID that an entry holds; 0 is none.
type claim uint64

func (c claim) Empty() bool       { return c == 0 }
func (c claim) Hash() uint64      { return uint64(c) }
func (c claim) Same(d claim) bool { return c == d }

// index holds a shard's entries for the retention, bounded by how many
// deliveries the shard makes in that time. Whole buckets of time are forgotten
// at once. It is not safe for concurrent use.
type index struct {
	keys    keys
	sids    maphash.Seed
	span    time.Duration // of one bucket
	keep    time.Duration
	length  int            // of a segment, when it's made
	buckets []*bucket      // oldest first
	open    map[Key]*Entry // the intents without an outcome, whole: few
	spare   []*Entry       // of those that are settled
	touched byte           // so that reading ahead isn't left out
}

// bucket holds the entries of a span of time: the latest in a table, which
// changes, and what has gathered there before in segments, which don't. An entry of
// a segment may be out of date: a later bucket, segment or table counts before it.
// The SIDs are in a table and in sets likewise.
type bucket struct {
	since, until time.Time
	facts        packed.Table[fact]
	base         Position  // of the segments
	segments     []segment // oldest first, each longer than the one behind it
	claimed      packed.Table[claim]
	claims       []*packed.Sorted
}

func newIndex(retention time.Duration) *index {
	return &index{keys: newKeys(), sids: maphash.MakeSeed(), span: retention / bucketsPerRetention, keep: retention, length: segmentLength, open: map[Key]*Entry{}}
}

// put stores e unless what is known is stronger: sent stays sent, but for the intent of
// a replay that may pass it, and whoever
// has lost the shard can't settle the intent of its next owner, nor a write
// that was given up and arrives late a later intent, except by the news that it
// was sent. That counts for nothing if the next owner has found
// the message meanwhile and took it for another delivery's, of the same text:
// then this one is still in doubt. And of two SIDs that a delivery is said to
// have been sent under the first counts: the other is left to whose it is. The
// newest bucket is enough to know: such news are minutes late at most.
func (x *index) put(k Key, e Entry, now time.Time) (stored bool) {
	x.forget(now)
	i, old := x.find(k)
	if i >= 0 && e.State != Sent && (old.state() == Sent && !e.passes(old) || x.overruled(k, e)) {
		return false
	}
	newest := x.current(e.Time, now)
	b := x.buckets[newest]
	if e.SID != "" {
		// Of a delivery that was sent only the same SID is no news.
		taken := b.hasClaimed(x.claim(e.SID))
		if again := i >= 0 && old.state() == Sent; taken != again {
			return false
		}
	}
	if i >= 0 && i != newest {
		x.buckets[i].facts.Remove(old) // if it isn't in a segment
	}
	b.facts.Put(newFact(k, e))
	for _, sid := range []string{e.SID, e.Past.SID} {
		if sid != "" {
			b.claimed.Put(x.claim(sid))
		}
	}
	x.note(k, e)
	if b.facts.Len()-len(x.open) >= x.length {
		b.seal()
	}
	if b.claimed.Len() >= x.length*claimsLength/segmentLength {
		b.sealClaims()
	}
	return true
}

// sparesKept is about how many intents are open at a time.
const sparesKept = 128

// note keeps an intent whole until there is an outcome.
func (x *index) note(k Key, e Entry) {
	known := x.open[k]
	switch {
	case e.State == Intent && known == nil:
		if last := len(x.spare) - 1; last >= 0 {
			known, x.spare = x.spare[last], x.spare[:last]
		} else {
			known = new(Entry)
		}
		*known, x.open[k] = e, known
	case e.State == Intent:
		*known = e
	case known != nil:
		delete(x.open, k)
		if len(x.spare) < sparesKept {
			x.spare = append(x.spare, known)
		}
	}
}

// overruled reports whether e was written before the intent that is known.
func (x *index) overruled(k Key, e Entry) bool {
	intent := x.open[k]
	return intent != nil && earlier(e, *intent)
}

// passes reports whether the entry may follow one that says sent: the intent
// to send once more what that one sent, and no other.
func (e Entry) passes(sent fact) bool {
	return e.State == Intent && e.Past != (Past{}) && sent.entry().Position == e.Past.Position
}

// earlier reports whether e was written before the intent. Only times of one
// owner are compared; if its clock was set back, the intent stays in doubt.
func earlier(e, intent Entry) bool {
	return e.Generation < intent.Generation || e.Generation == intent.Generation && e.Time.UnixMilli() < intent.Time.UnixMilli()
}

// find is the bucket that holds what is known last of a delivery, or -1.
func (x *index) find(k Key) (i int, f fact) {
	var touched byte
	for _, b := range x.buckets {
		for i := range b.segments {
			touched ^= b.segments[i].facts.Touch(k.hi)
		}
	}
	x.touched = touched
	for i, b := range slices.Backward(x.buckets) {
		if f, ok := b.find(k); ok {
			return i, f
		}
	}
	return -1, fact{}
}

func (b *bucket) find(k Key) (fact, bool) {
	if f, ok := b.facts.Get(fact{key: k}); ok {
		return f, true
	}
	for _, s := range slices.Backward(b.segments) {
		if f, ok := s.find(k); ok {
			return f, true
		}
	}
	return fact{}, false
}

// get is what is known of a delivery; of an outcome its state, position
// and mark alone.
func (x *index) get(k Key) (Entry, bool) {
	if e, ok := x.open[k]; ok {
		return *e, true
	}
	i, f := x.find(k)
	if i < 0 {
		return Entry{}, false
	}
	return f.entry(), true
}

// bodies are the body tags of the intents without an outcome that are of a kind,
// but for one.
func (x *index) bodies(of func(Doubt) bool, but Key) (bodies []uint32) {
	for k, e := range x.open {
		if k != but && of(Doubt{Tags: e.Tags, Made: e.Made}) {
			bodies = append(bodies, e.Tags.Body)
		}
	}
	return bodies
}

// hasClaimed tells whether an entry holds the SID. Of SIDs that no delivery in
// doubt can come upon it may have forgotten.
func (x *index) hasClaimed(sid string) bool {
	c := x.claim(sid)
	return slices.ContainsFunc(x.buckets, func(b *bucket) bool { return b.hasClaimed(c) })
}

func (b *bucket) hasClaimed(c claim) bool {
	if _, ok := b.claimed.Get(c); ok {
		return true
	}
	return slices.ContainsFunc(b.claims, func(known *packed.Sorted) bool {
		_, ok := known.Get(c.Hash())
		return ok
	})
}

func (x *index) claim(sid string) claim {
	return claim(max(1, maphash.String(x.sids, sid)))
}

// len is the number of entries in memory. A delivery that was settled again
// may count twice.
func (x *index) len() int {
	n := 0
	for _, b := range x.buckets {
		n += b.facts.Len()
		for _, s := range b.segments {
			n += s.facts.Len()
		}
	}
	return n
}

// forget drops the buckets that are past the retention.
func (x *index) forget(now time.Time) {
	for len(x.buckets) > 0 && now.Sub(x.buckets[0].until) > x.keep {
		for k := range x.open {
			if _, ok := x.buckets[0].facts.Get(fact{key: k}); ok {
				delete(x.open, k)
			}
		}
		x.buckets[0] = nil
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
		if newest >= 0 {
			x.buckets[newest].close(x.length)
		}
		x.buckets = append(x.buckets, &bucket{since: at, until: at.Add(x.span)})
		newest++
		x.forgetClaims()
	}
	return newest
}

// claimsKept is how much older than a delivery in doubt a message can be that
// is asked whether it is this delivery's: minutes, as Twilio's list is asked
// from the intent's time on; here half a day, so that no clock matters.
const claimsKept = 12 * time.Hour

// forgetClaims drops the SIDs that no delivery in doubt can come upon any more:
// those of messages that are half a day older than each intent without an outcome,
// and than those which may follow.
func (x *index) forgetClaims() {
	oldest := x.buckets[len(x.buckets)-1].since
	for _, e := range x.open {
		if e.Time.Before(oldest) {
			oldest = e.Time
		}
	}
	for _, b := range x.buckets {
		if oldest.Sub(b.until) > claimsKept {
			b.claimed, b.claims = packed.Table[claim]{}, nil
		}
	}
}
