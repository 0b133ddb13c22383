// Package packed holds many small things in little memory.
package packed

import (
	"iter"
	"math/bits"
)

// Table is a hash table in one array without pointers, so that an entry
// costs little more than itself and the garbage collector passes it by: open
// addressing with linear probing, three to four fifths full. Entries are spread
// by hashes of their own. The zero Table is empty. It is not safe for
// concurrent use.
type Table[E Entry[E]] struct {
	slots []E
	n     int
}

// Entry is what a Table holds. Its zero value is an empty slot.
type Entry[E any] interface {
	Empty() bool
	Hash() uint64 // well spread over all bits
	Same(E) bool  // another one with the same key
}

// find is the place of the entry with e's key; ok is false when there is none,
// and i then the empty slot where it belongs. There must be slots.
func (p *Table[E]) find(e E) (i int, ok bool) {
	for i = p.home(e); ; i = p.after(i) {
		switch at := p.slots[i]; {
		case at.Empty():
			return i, false
		case at.Same(e):
			return i, true
		}
	}
}

// home is where e is looked for first. It rises with the hash, so that
// growing copies from front to back.
func (p *Table[E]) home(e E) int {
	hi, _ := bits.Mul64(e.Hash(), uint64(len(p.slots)))
	return int(hi)
}

func (p *Table[E]) after(i int) int {
	if i++; i == len(p.slots) {
		return 0
	}
	return i
}

// Len is the number of entries.
func (p *Table[E]) Len() int { return p.n }

// Clear takes all entries out and keeps their room.
func (p *Table[E]) Clear() {
	clear(p.slots)
	p.n = 0
}

// All are the entries, roughly in the order of their hashes.
func (p *Table[E]) All() iter.Seq[E] {
	return func(yield func(E) bool) {
		for _, e := range p.slots {
			if !e.Empty() && !yield(e) {
				return
			}
		}
	}
}

// Get returns the entry with e's key.
func (p *Table[E]) Get(e E) (found E, ok bool) {
	if p.n == 0 {
		return found, false
	}
	i, ok := p.find(e)
	return p.slots[i], ok
}

// Put stores e in place of the entry with its key.
func (p *Table[E]) Put(e E) {
	if 5*(p.n+1) > 4*len(p.slots) {
		p.grow()
	}
	i, ok := p.find(e)
	if !ok {
		p.n++
	}
	p.slots[i] = e
}

func (p *Table[E]) grow() {
	old := p.slots
	p.slots = make([]E, max(16, len(old)+len(old)/4))
	for _, e := range old {
		if !e.Empty() {
			i, _ := p.find(e)
			p.slots[i] = e
		}
	}
}

// Remove takes the entry with e's key out, and moves those that were looked
// for past it closer.
func (p *Table[E]) Remove(e E) {
	if p.n == 0 {
		return
	}
	hole, ok := p.find(e)
	if !ok {
		return
	}
	p.n--
	for i := p.after(hole); !p.slots[i].Empty(); i = p.after(i) {
		// One between the hole and its home, cyclically, must stay.
		home := p.home(p.slots[i])
		if hole < i && hole < home && home <= i || i < hole && (hole < home || home <= i) {
			continue
		}
		p.slots[hole] = p.slots[i]
		hole = i
	}
	var none E
	p.slots[hole] = none
}
