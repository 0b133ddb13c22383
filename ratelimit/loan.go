package ratelimit

import "time"

// loan is a number of slots that are with another than their owner.
type loan struct {
	id    uint64 // the seq of the lender's note
	with  string // the other one
	slots int
	until time.Time
}

func total(loans []loan) (n int) {
	for _, l := range loans {
		n += l.slots
	}
	return n
}

// firstOf are parts that come to n.
func firstOf(parts []Repaid, n int) (first []Repaid) {
	for _, p := range parts {
		if p.Slots = min(p.Slots, n); p.Slots > 0 {
			first = append(first, p)
			n -= p.Slots
		}
	}
	return first
}

// repay takes parts off loans with another.
func repay(loans []loan, with string, parts []Repaid) {
	for _, p := range parts {
		for i := range loans {
			if l := &loans[i]; l.id == p.Loan && l.with == with {
				l.slots -= min(l.slots, max(0, p.Slots))
			}
		}
	}
}
