package packed

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// Sorted is a set that doesn't change any more: hashes in ascending order, each
// with a few bytes of data. The first bits of a hash are where it stands, the
// next ones are kept, so that a hash costs its bytes and at most a byte of
// directory, with no room left free. It is safe for concurrent use.
type Sorted struct {
	layout Layout
	bits   int      // of a hash that say in which group it is
	starts []uint32 // of each group, and the end of the last
	rows   []byte   // and room for one more load of a hash
}

// Layout is how many bytes of a hash are kept, at most 6, and of its data.
type Layout struct{ Hash, Data int }

const (
	hashBits  = 64
	leastBits = 12 // a set of few has as many groups, so that every set knows a hash as exactly
	loadBytes = 8
)

// Precision is how many of a hash's first bits are known. Two hashes that agree
// in these are one.
func (l Layout) Precision() int { return 8*l.Hash + leastBits }

// Cut is a hash as far as it is known.
func (l Layout) Cut(hash uint64) uint64 {
	drop := hashBits - l.Precision()
	return hash >> drop << drop
}

// NewSorted makes a set of at most n hashes, which come in ascending order. Of
// equal ones the first counts. Their data is copied.
func NewSorted(layout Layout, n int, all iter.Seq2[uint64, []byte]) *Sorted {
	b := build(layout, n)
	for hash, data := range all {
		b.add(layout.Cut(hash), data)
	}
	return b.done()
}

// Merge is a set of what is in two sets of the same layout. Of equal hashes the
// first set's counts.
func Merge(first, second *Sorted) *Sorted {
	b := build(first.layout, first.Len()+second.Len())
	x, y := cursor{s: first}, cursor{s: second}
	for more, other := x.next(), y.next(); more || other; {
		if more && (!other || x.hash <= y.hash) {
			b.add(x.hash, x.data)
			more = x.next()
		} else {
			b.add(y.hash, y.data)
			other = y.next()
		}
	}
	return b.done()
}

// builder makes a set of hashes that are cut and come in ascending order.
type builder struct {
	s     *Sorted
	count uint32
	group int
	last  uint64
}

func build(layout Layout, n int) builder {
	s := &Sorted{layout: layout, bits: min(max(leastBits, bits.Len(uint(n))-3), layout.Precision())}
	s.starts = make([]uint32, 1<<s.bits+1)
	s.rows = make([]byte, 0, n*s.stride()+loadBytes)
	return builder{s: s}
}

func (b *builder) add(hash uint64, data []byte) {
	if b.count > 0 && hash == b.last {
		return
	}
	b.startGroups(b.s.group(hash))
	var rest [loadBytes]byte
	binary.LittleEndian.PutUint64(rest[:], b.s.rest(hash))
	b.s.rows = append(append(b.s.rows, rest[:b.s.layout.Hash]...), data[:b.s.layout.Data]...)
	b.count, b.last = b.count+1, hash
}

// startGroups notes that all groups up to one start here at the latest.
func (b *builder) startGroups(last int) {
	for b.group < last {
		b.group++
		b.s.starts[b.group] = b.count
	}
}

func (b *builder) done() *Sorted {
	b.startGroups(len(b.s.starts) - 1)
	b.s.rows = append(b.s.rows, make([]byte, loadBytes)...)
	return b.s
}

// cursor walks through a set; next comes first.
type cursor struct {
	s     *Sorted
	row   uint32
	group int
	hash  uint64
	data  []byte
}

func (c *cursor) next() bool {
	s := c.s
	for c.row == s.starts[c.group+1] {
		if c.group++; c.group == len(s.starts)-1 {
			return false
		}
	}
	at := int(c.row) * s.stride()
	rest := binary.LittleEndian.Uint64(s.rows[at:]) & s.mask()
	c.hash = uint64(c.group)<<(hashBits-s.bits) | rest<<(hashBits-s.layout.Precision())
	c.data = s.data(at)
	c.row++
	return true
}

func (s *Sorted) stride() int { return s.layout.Hash + s.layout.Data }

// group is the first bits of a hash, rest those that are kept.
func (s *Sorted) group(hash uint64) int { return int(hash >> (hashBits - s.bits)) }

func (s *Sorted) rest(hash uint64) uint64 {
	return hash << s.bits >> s.bits >> (hashBits - s.layout.Precision())
}

// mask leaves a row's hash.
func (s *Sorted) mask() uint64 { return uint64(1)<<(8*s.layout.Hash) - 1 }

// Len is the number of hashes.
func (s *Sorted) Len() int { return int(s.starts[len(s.starts)-1]) }

// Get returns the data of a hash, which belongs to the set and must not be
// changed.
func (s *Sorted) Get(hash uint64) (data []byte, ok bool) {
	group, rest := s.group(hash), s.rest(hash)
	mask, stride := s.mask(), s.stride()
	first, end := int(s.starts[group])*stride, int(s.starts[group+1])*stride
	for at := first; at < end; at += stride {
		if known := binary.LittleEndian.Uint64(s.rows[at:]) & mask; known >= rest {
			if known > rest {
				return nil, false
			}
			return s.data(at), true
		}
	}
	return nil, false
}

// Touch reads where a hash would stand, and means nothing. Who asks several
// large sets touches them all first: memory then answers all at once.
func (s *Sorted) Touch(hash uint64) byte { return s.rows[int(s.starts[s.group(hash)])*s.stride()] }

func (s *Sorted) data(at int) []byte { return s.rows[at+s.layout.Hash : at+s.stride()] }

// All are the hashes, as far as they are known, in ascending order with their data.
func (s *Sorted) All() iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		for c := (cursor{s: s}); c.next() && yield(c.hash, c.data); {
		}
	}
}
