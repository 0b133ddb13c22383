package ledger

import "math/bits"

// packed is a hash table in one array without pointers, so that an entry
// costs little more than itself and the garbage collector passes it by: open
// addressing with linear probing, three to four fifths full. Entries are spread
// by hashes of their own. The zero packed is empty. It is not safe for
// concurrent use.
type packed[E entry[E]] struct {
	slots []E
	n     int
}

// entry is what a packed holds. Its zero value is an empty slot.
type entry[E any] interface {
	empty() bool
	hash() uint64 // well spread over all bits
	same(E) bool  // another one with the same key
}

// find is the place of the entry with e's key; ok is false when there is none,
// and i then the empty slot where it belongs. There must be slots.
func (p *packed[E]) find(e E) (i int, ok bool) {
	for i = p.home(e); ; i = p.after(i) {
		switch at := p.slots[i]; {
		case at.empty():
			return i, false
		case at.same(e):
			return i, true
		}
	}
}

// home is where e is looked for first. It rises with the hash, so that
// growing copies from front to back.
func (p *packed[E]) home(e E) int {
	hi, _ := bits.Mul64(e.hash(), uint64(len(p.slots)))
	return int(hi)
}

func (p *packed[E]) after(i int) int {
	if i++; i == len(p.slots) {
		return 0
	}
	return i
}

// get returns the entry with e's key.
func (p *packed[E]) get(e E) (found E, ok bool) {
	if p.n == 0 {
		return found, false
	}
	i, ok := p.find(e)
	return p.slots[i], ok
}

// put stores e in place of the entry with its key.
func (p *packed[E]) put(e E) {
	if 5*(p.n+1) > 4*len(p.slots) {
		p.grow()
	}
	i, ok := p.find(e)
	if !ok {
		p.n++
	}
	p.slots[i] = e
}

func (p *packed[E]) grow() {
	old := p.slots
	p.slots = make([]E, max(16, len(old)+len(old)/4))
	for _, e := range old {
		if !e.empty() {
			i, _ := p.find(e)
			p.slots[i] = e
		}
	}
}

// remove takes the entry with e's key out, and moves those that were looked
// for past it closer.
func (p *packed[E]) remove(e E) {
	if p.n == 0 {
		return
	}
	hole, ok := p.find(e)
	if !ok {
		return
	}
	p.n--
	for i := p.after(hole); !p.slots[i].empty(); i = p.after(i) {
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
