package ratelimit

import (
	"cmp"
	"slices"
	"time"
)

// need is what one replica should have of our home slots.
type need struct {
	party     *party // nil for ourselves
	elsewhere int    // slots that it has beside these
	part      float64
	whole     int
	none      bool // it would have no slot at all without
	turn      *turns
	order     uint64
}

// due is how many of the home slots another should have now, and whether it
// takes turns for one.
type due struct {
	slots int
	turns bool
}

// settleDue says what is due to all others who need slots. The whole rate is
// divided by need: who needs little has it all, the others have equal parts.
// Where that comes to less than a slot for some, they take turns. We lend what is
// above our own part; where it isn't enough for all who lack some, other owners
// lend the rest, and each owner begins with another one.
func (b *book) settleDue(needy []*party, now time.Time) {
	demands := make([]int, 1, 1+len(needy))
	needs := make([]need, 1, 1+len(needy))
	demands[0], needs[0] = needed(b.demand(), b.fleet), need{elsewhere: total(b.borrowed), turn: &b.turn}
	for _, p := range needy {
		demands = append(demands, p.ask.Demand)
		needs = append(needs, need{party: p, elsewhere: max(0, p.elsewhere), turn: &p.turn, order: p.order})
	}
	fair, sum := level(b.fleet, demands), 0.0
	for i := range needs {
		part := min(float64(demands[i]), fair) - float64(needs[i].elsewhere)
		needs[i].part = min(max(part, 0), float64(b.home))
		sum += needs[i].part
	}
	own := needs[0].part
	if spare := float64(b.home) - own; spare > atOnce {
		sum = own + b.choose(needs[1:])
	}
	left := b.home
	for i := range needs {
		n := &needs[i]
		if spare := float64(b.home) - own; i > 0 && sum-own > spare {
			n.part *= spare / (sum - own)
		}
		n.whole = int(whole(n.part))
		n.none = n.whole == 0 && n.part > 0 && n.elsewhere == 0
		left -= n.whole
	}
	slices.SortStableFunc(needs, func(a, b need) int {
		return cmp.Or(a.rank(now)-b.rank(now), a.turn.since.Compare(b.turn.since), cmp.Compare(a.order, b.order))
	})
	for _, n := range needs {
		more := left > 0 && n.part > float64(n.whole)+rounding
		if more {
			n.whole++
			left--
		}
		if n.none {
			n.turn.set(more, now)
		}
		if n.party != nil {
			n.party.due = due{n.whole, n.none}
		}
	}
}

// atOnce is among how many others we divide what we can lend, where there are
// more: each of many lenders serves some of many borrowers, whose loans are
// then as many notes fewer. Who is served drops out, and others come in.
const atOnce = 4

// choose leaves a part to those that borrow from us, and to others by chance,
// and says how much they come to.
func (b *book) choose(needs []need) (sum float64) {
	lent := make(map[string]bool, len(b.lent))
	for _, l := range b.lent {
		lent[l.with] = true
	}
	last := func(n need) int {
		if lent[n.party.name] {
			return 0
		}
		return 1
	}
	slices.SortFunc(needs, func(x, y need) int { return cmp.Or(last(x)-last(y), cmp.Compare(x.order, y.order)) })
	chosen := 0
	for i := range needs {
		if needs[i].part > 0 {
			chosen++
		}
		if chosen > atOnce {
			needs[i].part = 0
		}
		sum += needs[i].part
	}
	return sum
}

// rank orders who is given what can't be divided: those whose turn it is,
// those who have waited for one, those whose turn is over; then, where
// something is left, we ourselves, and last who has others.
func (n need) rank(now time.Time) int {
	switch {
	case n.none && n.turn.has && now.Sub(n.turn.since) < turn:
		return 0
	case n.none && !n.turn.has:
		return 1
	case n.none:
		return 2
	case n.party == nil:
		return 3
	default:
		return 4
	}
}

// level is how much each has at most when n is divided by need.
func level(n int, needs []int) float64 {
	sorted := slices.Sorted(slices.Values(needs))
	left := float64(n)
	for i, need := range sorted {
		if equal := left / float64(len(sorted)-i); equal <= float64(need) {
			return equal
		}
		left -= float64(need)
	}
	return float64(n)
}
