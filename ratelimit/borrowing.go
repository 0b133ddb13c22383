package ratelimit

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// mayAsk reports whether it is time for another ask.
func (b *book) mayAsk(now time.Time) bool {
	if len(b.asks) == 0 {
		return true
	}
	since := now.Sub(b.asks[len(b.asks)-1].at)
	changed := differs(b.said.Held, b.slots.held()) || differs(b.said.Demand, needed(b.demand(), b.fleet))
	return since >= askAtLeast || since >= askEvery && changed
}

// differs reports whether a number is another by more than a tenth.
func differs(before, now int) bool { return math.Abs(float64(now-before)) > 0.1*float64(before) }

func (b *book) ask(notes []Note, now time.Time) []Note {
	n := b.note()
	n.Ask = &Ask{Held: max(0, b.slots.held()), Demand: needed(b.demand(), b.fleet)}
	b.said = *n.Ask
	for _, l := range b.borrowed {
		if n.Ask.Keeps == nil {
			n.Ask.Keeps = map[string][]uint64{}
		}
		n.Ask.Keeps[l.with] = append(n.Ask.Keeps[l.with], l.id)
	}
	b.asks = slices.DeleteFunc(b.asks, func(a asked) bool { return now.Sub(a.at) >= LoanTerm })
	b.asks = append(b.asks, asked{n.Seq, now})
	return append(notes, n)
}

// giveBack returns up to n borrowed slots: those of one lender, or of all, those
// who need slots themselves first.
func (b *book) giveBack(notes []Note, lender string, n int, now time.Time) []Note {
	slices.SortStableFunc(b.borrowed, func(x, y loan) int { return cmp.Compare(b.unmet(y.with), b.unmet(x.with)) })
	for i := 0; i < len(b.borrowed) && n > 0; {
		to := b.borrowed[i].with
		var parts []Repaid
		k := 0
		for ; i < len(b.borrowed) && b.borrowed[i].with == to; i++ {
			if l := &b.borrowed[i]; n > k && (lender == "" || lender == to) {
				part := min(n-k, l.slots)
				parts = append(parts, Repaid{l.id, part})
				k += part
			}
		}
		after, parted := b.slots.part(k, now)
		if parted < k {
			// Permits have the others; what can't be given up now isn't.
			parts, k = firstOf(parts, parted), parted
		}
		if n -= k; k == 0 {
			continue
		}
		repay(b.borrowed, to, parts)
		note := b.note()
		note.Return = &Return{To: to, Parts: parts, After: after}
		notes = append(notes, note)
	}
	b.borrowed = slices.DeleteFunc(b.borrowed, func(l loan) bool { return l.slots == 0 })
	return notes
}

// unmet is how many slots another said that it lacks.
func (b *book) unmet(name string) int {
	if p := b.others[name]; p != nil {
		return p.ask.Demand - p.ask.Held
	}
	return 0
}

// shed returns what is borrowed beyond our part of the rate, as far as others
// lack theirs. Everybody who has too much returns its part of what is lacking.
func (b *book) shed(notes []Note, now time.Time) []Note {
	if len(b.borrowed) == 0 {
		return notes
	}
	demand, held := needed(b.demand(), b.fleet), b.slots.held()
	demands := []int{demand}
	for _, p := range b.needy(now) {
		demands = append(demands, p.ask.Demand)
	}
	fair := level(b.fleet, demands)
	excess := float64(held) - math.Ceil(min(float64(demand), fair))
	if excess < 1 {
		return notes
	}
	lacking, all := 0.0, excess
	for _, p := range b.needy(now) {
		due := min(float64(p.ask.Demand), fair)
		if d := due - float64(p.ask.Held); d >= max(1, tolerated*due) {
			lacking += d
		} else if d < 0 {
			all -= d
		}
	}
	n := math.Ceil(min(excess, lacking*excess/all))
	return b.giveBack(notes, "", int(n), now)
}

// granted takes a loan, extends those that are extended and returns what is
// recalled.
func (b *book) granted(lender string, seq uint64, g *Grant, now time.Time) (notes []Note) {
	i := slices.IndexFunc(b.asks, func(a asked) bool { return a.seq == g.Ask })
	if i < 0 {
		return nil // too old
	}
	until := b.asks[i].at.Add(LoanTerm)
	for i := range b.borrowed {
		if l := &b.borrowed[i]; l.with == lender && slices.Contains(g.Extend, l.id) && l.until.Before(until) {
			l.until = until
		}
	}
	if g.Slots > 0 && !passed(until, now) {
		b.borrowed = append(b.borrowed, loan{id: seq, with: lender, slots: g.Slots, until: until})
		b.slots.gain(g.Slots, g.After, now)
	}
	if g.Recall > 0 {
		notes = b.giveBack(notes, lender, g.Recall, now)
	}
	return notes
}
