package ratelimit

import (
	"slices"
	"time"
)

const (
	// LoanTerm is how long a loan lasts: for the borrower from when it wrote
	// the ask that was answered, for the lender from when it answered.
	LoanTerm = 2 * time.Second

	// turn is how long a slot stays with one of several replicas that would
	// have none otherwise.
	turn = 2 * time.Second

	// askEvery is the time between asks while need changes, and askAtLeast while
	// it doesn't.
	askEvery   = 250 * time.Millisecond
	askAtLeast = 750 * time.Millisecond

	// renewBefore is how long before its end a loan is made longer. It leaves
	// room for two more asks.
	renewBefore = LoanTerm - 400*time.Millisecond

	// slack is what a borrower keeps beyond what it used, in parts of it, so
	// that loans don't come and go with every message.
	slack = 0.1

	// tolerated is what may be lacking, in parts of what is due, before others
	// return anything for it.
	tolerated = 0.1
)

// book is a replica's account of one rate: the slots that are its own as owner
// of shards, those that it lends and borrows, and who needs how many. It is
// pure: it is told the time, what others wrote and what is waiting, and says
// what to write. It is not safe for concurrent use.
type book struct {
	me    string
	rate  string
	fleet int    // slots of the whole rate
	slots *slots // what is held now
	seq   uint64

	parts    []Part // of the rate that are ours
	home     int    // slots in them
	lent     []loan // to others
	borrowed []loan // from others

	others  map[string]*party
	byName  []*party
	asks    []asked   // our last ones, oldest first
	said    Ask       // in the last of them
	lastAsk time.Time // when anybody's ask was read last
	waiting int       // uses, at the last tick
	turn    turns
	grants  int // slots lent, since somebody counted
}

type asked struct {
	seq uint64
	at  time.Time
}

func newBook(me, rate string, fleet int, s *slots) *book {
	return &book{me: me, rate: rate, fleet: fleet, slots: s, others: map[string]*party{}}
}

// own is how many of the home slots are here.
func (b *book) own() int { return max(0, b.home-total(b.lent)) }

// owning changes what own depends on, and gains or loses the difference. What is
// gained may be used after a while.
func (b *book) owning(now time.Time, after time.Duration, change func()) {
	before := b.own()
	change()
	switch d := b.own() - before; {
	case d > 0:
		b.slots.gain(d, after, now)
	case d < 0:
		b.slots.lose(-d, now)
	}
}

// setParts says which parts of the rate are this replica's as owner of shards.
// A former owner may have lent what is gained: a loan in force answers an ask
// that was in the log before that owner lost the shard. caughtUp says that the
// log was read to its end since then.
func (b *book) setParts(parts []Part, caughtUp bool, now time.Time) {
	b.parts = slices.Clone(parts)
	wait := LoanTerm
	if caughtUp {
		wait = max(0, LoanTerm-now.Sub(b.lastAsk))
	}
	b.count(wait, now)
}

// count counts the home slots anew. What is gained may be used after a wait
// and a span.
func (b *book) count(wait time.Duration, now time.Time) {
	b.parts = slices.DeleteFunc(b.parts, func(p Part) bool { return passed(p.Until, now) })
	home := 0
	for _, p := range b.parts {
		home += p.slots(b.fleet)
	}
	if home != b.home {
		b.owning(now, wait+b.slots.span, func() { b.home = home })
	}
}

// passed reports whether a time is over by either clock: the monotonic one
// stands still while a machine sleeps.
func passed(t, now time.Time) bool { return !now.Before(t) || !now.Round(0).Before(t.Round(0)) }

// expire ends the parts and loans whose time is over. What comes back from a
// borrower so may have been used just now.
func (b *book) expire(now time.Time) {
	b.count(LoanTerm, now)
	b.borrowed = slices.DeleteFunc(b.borrowed, func(l loan) bool {
		over := passed(l.until, now)
		if over {
			b.slots.lose(l.slots, now)
		}
		return over
	})
	b.owning(now, b.slots.span, func() {
		b.lent = slices.DeleteFunc(b.lent, func(l loan) bool { return !now.Before(l.until) })
	})
}

// demand is how many slots this replica could use.
func (b *book) demand() int { return min(b.fleet, b.waiting+b.slots.resting.n+b.slots.taken) }

// needed is the demand with some slack.
func needed(demand, fleet int) int {
	return min(fleet, demand+int(slack*float64(demand)))
}

// tick looks after loans and says what is to be written.
func (b *book) tick(waiting int, now time.Time) (notes []Note) {
	b.waiting = waiting
	b.expire(now)
	b.slots.settle(now)
	if b.slots.held() > 0 && len(b.borrowed) > 0 {
		if excess := b.slots.held() - needed(b.demand(), b.fleet); excess > 0 {
			notes = b.giveBack(notes, "", excess, now)
		}
	}
	b.forget(now)
	if len(b.byName) > few {
		notes = b.shed(notes, now)
	}
	notes = b.divide(notes, now)
	if b.lacks() > 0 || len(b.borrowed) > 0 {
		if b.mayAsk(now) {
			notes = b.ask(notes, now)
		}
	}
	return notes
}

// lacks is how many slots more this replica could use now.
func (b *book) lacks() int {
	if b.waiting == 0 {
		return 0
	}
	return max(0, b.demand()-b.slots.held())
}

// hear takes in what another replica wrote, and says what to answer.
func (b *book) hear(n Note, now time.Time) (notes []Note) {
	if n.Ask != nil {
		b.lastAsk = now // our own, too: it may have been answered
	}
	if n.From == b.me || n.Of != b.fleet {
		return nil
	}
	b.expire(now)
	p := b.party(n.From)
	if n.Seq <= p.heard {
		return nil // written twice
	}
	p.heard, p.heardAt = n.Seq, now
	switch {
	case n.Ask != nil:
		p.ask, p.seq, p.at, p.elsewhere = *n.Ask, n.Seq, now, n.Ask.Held
		for _, l := range b.lent {
			if l.with == n.From && slices.Contains(n.Ask.Keeps[b.me], l.id) {
				p.elsewhere -= l.slots
			}
		}
		p.open = true
		if len(b.byName) > few {
			return nil // at the next tick
		}
		return b.divide(b.shed(nil, now), now)
	case n.Grant != nil && n.Grant.To == b.me:
		return b.granted(n.From, n.Seq, n.Grant, now)
	case n.Grant != nil:
		if p := b.others[n.Grant.To]; p != nil && p.seq == n.Grant.Ask {
			p.elsewhere += n.Grant.Slots
		}
	case n.Return != nil && n.Return.To == b.me:
		b.owning(now, n.Return.After, func() {
			repay(b.lent, n.From, n.Return.Parts)
			b.lent = slices.DeleteFunc(b.lent, func(l loan) bool { return l.slots == 0 })
		})
		if len(b.byName) <= few {
			return b.divide(nil, now)
		}
	}
	return nil
}

func (b *book) note() Note {
	b.seq++
	return Note{From: b.me, Rate: b.rate, Of: b.fleet, Seq: b.seq}
}
