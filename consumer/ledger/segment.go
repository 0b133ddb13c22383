package ledger

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"engage-worker/internal/packed"
)

const (
	// segmentLength is how many entries gather in a bucket's table before they
	// become a segment: in a table one takes some 40 bytes.
	segmentLength = 1 << 15
	// worthASegment is how many must be left in a bucket that is over.
	worthASegment = 1 << 12
	// claimsLength is how many SIDs gather in a bucket's table, 10 to 13 bytes
	// each, before they become one of its sets: each sent entry asks them.
	claimsLength = 1 << 16
)

// A segment keeps 60 bits of an entry's key: of 70,000 shards with four million
// deliveries in a retention one takes a delivery for another in that time. Of
// SIDs it keeps 52 bits: only deliveries in doubt ask for one.
var (
	factLayout  = packed.Layout{Hash: 6, Data: 6}
	claimLayout = packed.Layout{Hash: 5}
)

// segment holds settled entries that don't change any more, in 12 to 13 bytes
// each. An entry's data is the distance of its position from base and its state,
// in 32 bits, and its mark. It is safe for concurrent use.
type segment struct {
	facts     *packed.Sorted
	base      Position
	elsewhere map[uint64]Position // of the few that are too far from base; by Cut of their hash
}

const tooFar = 1<<(32-rowStateBits) - 1

// rowStateBits hold a settled state less one; Intent would be none.
const rowStateBits = 2

// newSegment makes a segment of settled facts, in ascending order of their hashes.
func newSegment(base Position, facts []fact) segment {
	s := segment{base: base, elsewhere: map[uint64]Position{}}
	s.facts = packed.NewSorted(factLayout, len(facts), func(yield func(uint64, []byte) bool) {
		var data [6]byte
		for _, f := range facts {
			at := f.position()
			distance := at.Offset - base.Offset
			if at.Partition != base.Partition || distance < 0 || distance >= tooFar {
				distance = tooFar
				s.elsewhere[factLayout.Cut(f.Hash())] = at
			}
			binary.LittleEndian.PutUint32(data[:], uint32(distance)<<rowStateBits|uint32(f.state()-1))
			binary.LittleEndian.PutUint16(data[4:], uint16(f.mark))
			if !yield(f.Hash(), data[:]) {
				return
			}
		}
	})
	return s
}

// join makes one segment of two of the same base; of a delivery that is in both
// the newer one counts.
func join(newer, older segment) segment {
	maps.Copy(older.elsewhere, newer.elsewhere)
	return segment{facts: packed.Merge(newer.facts, older.facts), base: newer.base, elsewhere: older.elsewhere}
}

// fact is what a row of the segment says. Its key is as much as the segment knows.
func (s segment) fact(hash uint64, data []byte) fact {
	word := binary.LittleEndian.Uint32(data)
	at := Position{s.base.Partition, s.base.Offset + int64(word>>rowStateBits)}
	if word>>rowStateBits == tooFar {
		at = s.elsewhere[factLayout.Cut(hash)]
	}
	return newFact(Key{hi: hash}, Entry{State: State(word&(1<<rowStateBits-1)) + 1, Position: at, Mark: Mark(binary.LittleEndian.Uint16(data[4:]))})
}

func (s segment) find(k Key) (fact, bool) {
	data, ok := s.facts.Get(k.hi)
	if !ok {
		return fact{}, false
	}
	return s.fact(k.hi, data), true
}

// seal makes a segment of what is settled in the table, and joins it with those
// that are no longer than itself. What is in doubt stays in the table.
func (b *bucket) seal() {
	var facts, open []fact
	for f := range b.facts.All() {
		if f.state() == Intent {
			open = append(open, f)
		} else {
			facts = append(facts, f)
		}
	}
	b.facts.Clear()
	for _, f := range open {
		b.facts.Put(f)
	}
	if len(facts) == 0 {
		return
	}
	// The table is nearly in this order.
	slices.SortFunc(facts, func(f, g fact) int { return cmp.Compare(f.Hash(), g.Hash()) })
	if len(b.segments) == 0 {
		b.base = baseOf(facts)
	}
	newest := newSegment(b.base, facts)
	for n := len(b.segments); n > 0 && b.segments[n-1].facts.Len() <= newest.facts.Len(); n-- {
		newest = join(newest, b.segments[n-1])
		b.segments = slices.Delete(b.segments, n-1, n)
	}
	b.segments = append(b.segments, newest)
}

// sealClaims does the same for the SIDs.
func (b *bucket) sealClaims() {
	claims := slices.Sorted(b.claimed.All())
	newest := packed.NewSorted(claimLayout, len(claims), func(yield func(uint64, []byte) bool) {
		for _, c := range claims {
			if !yield(c.Hash(), nil) {
				return
			}
		}
	})
	b.claimed.Clear()
	for n := len(b.claims); n > 0 && b.claims[n-1].Len() <= newest.Len(); n-- {
		newest = packed.Merge(newest, b.claims[n-1])
		b.claims = slices.Delete(b.claims, n-1, n)
	}
	b.claims = append(b.claims, newest)
}

// close is called when the bucket's time is over: of many entries it leaves one
// segment and one set of SIDs.
func (b *bucket) close(length int) {
	if b.facts.Len() >= min(worthASegment, length) {
		b.seal()
	}
	if len(b.segments) == 0 {
		return
	}
	for n := len(b.segments); n > 1; n-- {
		b.segments[n-2] = join(b.segments[n-1], b.segments[n-2])
		b.segments = slices.Delete(b.segments, n-1, n)
	}
	b.sealClaims()
	for n := len(b.claims); n > 1; n-- {
		b.claims[n-2] = packed.Merge(b.claims[n-1], b.claims[n-2])
		b.claims = slices.Delete(b.claims, n-1, n)
	}
	b.claimed = packed.Table[claim]{}
	many := b.facts // by now few, which need less room
	b.facts = packed.Table[fact]{}
	for f := range many.All() {
		b.facts.Put(f)
	}
}

// baseOf is a position below those of the facts, with room for some that are
// older still: of the partition that the first one is of, which but for replays
// is that of all.
func baseOf(facts []fact) Position {
	base := facts[0].position()
	for _, f := range facts {
		if at := f.position(); at.Partition == base.Partition {
			base.Offset = min(base.Offset, at.Offset)
		}
	}
	base.Offset = max(0, base.Offset-tooFar/4)
	return base
}
