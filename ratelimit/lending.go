package ratelimit

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// party is another replica that needs slots.
type party struct {
	name      string
	ask       Ask
	seq       uint64 // of the ask
	at        time.Time
	elsewhere int    // slots that it held then and that aren't from us
	heard     uint64 // the seq of its last note
	heardAt   time.Time
	turn      turns
	open      bool // its last ask isn't answered yet
	due       due
	order     uint64 // among those to whom slots are lent, by chance
}

// turns is whether a replica has one of the slots that go round, and since
// when, or until when it had.
type turns struct {
	has   bool
	since time.Time
}

func (t *turns) set(has bool, now time.Time) {
	if t.has != has {
		t.has, t.since = has, now
	}
}

// party is the other of that name.
func (b *book) party(name string) *party {
	p := b.others[name]
	if p == nil {
		h := fnv.New64a()
		h.Write([]byte(b.me + "\x00" + name))
		p = &party{name: name, order: h.Sum64()}
		b.others[name] = p
		i, _ := slices.BinarySearchFunc(b.byName, name, func(p *party, name string) int { return strings.Compare(p.name, name) })
		b.byName = slices.Insert(b.byName, i, p)
	}
	return p
}

// forget forgets those who have said nothing for long: what is written twice
// later than that is void by its age.
func (b *book) forget(now time.Time) {
	b.byName = slices.DeleteFunc(b.byName, func(p *party) bool {
		old := now.Sub(p.heardAt) > 2*LoanTerm
		if old {
			delete(b.others, p.name)
		}
		return old
	})
}

// needy are the others whose ask is fresh, by name.
func (b *book) needy(now time.Time) []*party {
	var needy []*party
	for _, p := range b.byName {
		if p.seq != 0 && now.Sub(p.at) < LoanTerm {
			needy = append(needy, p)
		}
	}
	return needy
}

// few is how many others may lack slots so that each ask is answered by
// itself. Among more, the division takes longer, and is made once a tick.
const few = 16

// divide answers all asks, those that are answered already as far as there is more to
// lend now.
func (b *book) divide(notes []Note, now time.Time) []Note {
	if b.home == 0 && len(b.lent) == 0 {
		return notes
	}
	needy := b.needy(now)
	if len(needy) == 0 {
		return notes
	}
	b.settleDue(needy, now)
	for _, p := range needy {
		notes = b.answer(notes, p, now)
	}
	return notes
}

// answer lends a replica more, extends what it keeps where it has asked anew
// and would lose it soon, or recalls a slot whose turn is over.
func (b *book) answer(notes []Note, p *party, now time.Time) []Note {
	asks := p.open
	p.open = false
	want, turns := p.due.slots, p.due.turns
	g, has := Grant{To: p.name, Ask: p.seq}, 0
	for i := range b.lent {
		l := &b.lent[i]
		if l.with != p.name {
			continue
		}
		has += l.slots
		// Slots of shards that were lost must not be lent any longer.
		if asks && l.until.Sub(now) < renewBefore && slices.Contains(p.ask.Keeps[b.me], l.id) && total(b.lent) <= b.home {
			l.until = now.Add(LoanTerm)
			g.Extend = append(g.Extend, l.id)
		}
	}
	if has < want {
		g.After, g.Slots = b.slots.part(min(want-has, b.own()), now)
	} else if turns {
		g.Recall = has - want
	}
	if len(g.Extend) == 0 && g.Slots == 0 && g.Recall == 0 {
		return notes
	}
	n := b.note()
	n.Grant = &g
	if g.Slots > 0 {
		b.grants += g.Slots
		b.lent = append(b.lent, loan{id: n.Seq, with: p.name, slots: g.Slots, until: now.Add(LoanTerm)})
	}
	return append(notes, n)
}
