package ratelimit

import (
	"maps"
	"slices"
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

// needy are the others whose ask is fresh, by name.
func (b *book) needy(now time.Time) (needy []*party) {
	for _, name := range slices.Sorted(maps.Keys(b.others)) {
		if p := b.others[name]; p.seq != 0 && now.Sub(p.at) < LoanTerm {
			needy = append(needy, p)
		}
	}
	return needy
}

// divide answers everybody's last ask anew, where there is more to lend now.
func (b *book) divide(notes []Note, now time.Time) []Note {
	for _, p := range b.needy(now) {
		notes = b.answer(notes, p, false, now)
	}
	return notes
}

// answer lends a replica more, extends what it keeps where it has asked anew,
// or recalls a slot whose turn is over.
func (b *book) answer(notes []Note, p *party, asks bool, now time.Time) []Note {
	if b.home == 0 && len(b.lent) == 0 {
		return notes
	}
	want, turns := b.due(now, p)
	g, has := Grant{To: p.name, Ask: p.seq}, 0
	for i := range b.lent {
		l := &b.lent[i]
		if l.with != p.name {
			continue
		}
		has += l.slots
		// Slots of shards that were lost must not be lent any longer.
		if asks && slices.Contains(p.ask.Keeps[b.me], l.id) && total(b.lent) <= b.home {
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
