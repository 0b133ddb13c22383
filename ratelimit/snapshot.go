package ratelimit

import (
	"cmp"
	"slices"
	"time"
)

// Snapshot is a gate at one moment.
type Snapshot struct {
	Region        string
	Breaker       State
	Rate          float64 // messages per second that this replica may send now
	Home          int     // slots that are its own
	Lent          int     // of these, to others
	Borrowed      int     // slots of others
	InFlight      int
	InFlightLimit int
	Waiting       int
	PausedUntil   time.Time // the end of the last pause that the vendor asked for; zero if there was none
}

// Snapshot returns the gate as it is now.
func (g *Gate) Snapshot() Snapshot {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.settle(now)
	g.advance(now)
	return Snapshot{
		Region:        g.region,
		Breaker:       g.breaker.state(),
		Rate:          g.pacer.perSec(),
		Home:          g.book.home,
		Lent:          total(g.book.lent),
		Borrowed:      total(g.book.borrowed),
		InFlight:      g.inFlight,
		InFlightLimit: g.throttle.inFlight(),
		Waiting:       g.waiting,
		PausedUntil:   g.throttle.until,
	}
}

// Holding is what a replica has of one rate, and what it knows of the others.
type Holding struct {
	Region string `json:"region"`
	Sender string `json:"sender,omitempty"` // empty: the region's own rate

	Slots  int     `json:"slots"`  // of the whole rate
	Span   float64 `json:"span"`   // seconds in which each may be used once
	Home   int     `json:"home"`   // this replica's own
	Here   int     `json:"here"`   // own ones that aren't lent, and borrowed ones
	Wanted int     `json:"wanted"` // those that it could use
	// Waiting are the deliveries that wait for this rate.
	Waiting int `json:"waiting"`

	Lent     []Loan  `json:"lent"`
	Borrowed []Loan  `json:"borrowed"`
	Others   []Needy `json:"others"`
}

// Loan is what of a rate is with another replica than its own.
type Loan struct {
	With  string    `json:"with"` // borrower or lender
	Slots int       `json:"slots"`
	Until time.Time `json:"until"` // unless it is made longer
}

// Needy is another replica that lacks slots or borrows some, as it said last.
type Needy struct {
	Name   string `json:"name"`
	Here   int    `json:"here"`
	Wanted int    `json:"wanted"`
}

// Holdings are what this replica has of all rates, by region and sender.
func (g *Gates) Holdings() (all []Holding) {
	for _, gate := range g.all() {
		all = append(all, gate.holdings()...)
	}
	slices.SortFunc(all, func(a, b Holding) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Sender, b.Sender))
	})
	return all
}

func (g *Gate) holdings() (all []Holding) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.settle(now)
	all = append(all, g.book.holding(g.region, "", g.line.n, now))
	for _, s := range g.senders {
		s.settle(now)
		all = append(all, s.book.holding(g.region, s.name, s.line.n, now))
	}
	return all
}

func (b *book) holding(region, sender string, waiting int, now time.Time) Holding {
	h := Holding{
		Region: region, Sender: sender, Slots: b.fleet, Span: b.slots.span.Seconds(),
		Home: b.home, Here: b.slots.held(), Wanted: b.demand(), Waiting: waiting,
		Lent: shown(b.lent), Borrowed: shown(b.borrowed), Others: []Needy{},
	}
	for _, p := range b.needy(now) {
		h.Others = append(h.Others, Needy{Name: p.name, Here: p.ask.Held, Wanted: p.ask.Demand})
	}
	return h
}

// shown are loans for people.
func shown(loans []loan) []Loan {
	all := make([]Loan, len(loans))
	for i, l := range loans {
		all[i] = Loan{With: l.with, Slots: l.slots, Until: l.until}
	}
	return all
}
