package ratelimit

import (
	"cmp"
	"maps"
	"math"
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

	// askEvery is the time between asks while nothing else changes.
	askEvery = 250 * time.Millisecond

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
	asks    []asked   // our last ones, oldest first
	lastAsk time.Time // when anybody's ask was read last
	waiting int       // deliveries, at the last tick
	turn    turns
}

// loan is a number of slots that are with another than their owner.
type loan struct {
	id    uint64 // the seq of the lender's note
	with  string // the other one
	slots int
	until time.Time
}

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

type asked struct {
	seq uint64
	at  time.Time
}

func newBook(me, rate string, fleet int, s *slots) *book {
	return &book{me: me, rate: rate, fleet: fleet, slots: s, others: map[string]*party{}}
}

func total(loans []loan) (n int) {
	for _, l := range loans {
		n += l.slots
	}
	return n
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
	// What is written twice later than that is void by its age.
	maps.DeleteFunc(b.others, func(_ string, p *party) bool { return now.Sub(p.heardAt) > 2*LoanTerm })
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
	notes = b.divide(notes, now)
	if b.lacks() > 0 || len(b.borrowed) > 0 {
		if n := len(b.asks); n == 0 || now.Sub(b.asks[n-1].at) >= askEvery {
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

func (b *book) note() Note {
	b.seq++
	return Note{From: b.me, Rate: b.rate, Of: b.fleet, Seq: b.seq}
}

func (b *book) ask(notes []Note, now time.Time) []Note {
	n := b.note()
	n.Ask = &Ask{Held: max(0, b.slots.held()), Demand: needed(b.demand(), b.fleet)}
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

// needy are the others whose ask is fresh, by name.
func (b *book) needy(now time.Time) (needy []*party) {
	for _, name := range slices.Sorted(maps.Keys(b.others)) {
		if p := b.others[name]; p.seq != 0 && now.Sub(p.at) < LoanTerm {
			needy = append(needy, p)
		}
	}
	return needy
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
	p := b.others[n.From]
	if p == nil {
		p = &party{name: n.From}
		b.others[n.From] = p
	}
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
		return b.answer(b.shed(nil, now), p, true, now)
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
		return b.divide(nil, now)
	}
	return nil
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
		b.lent = append(b.lent, loan{id: n.Seq, with: p.name, slots: g.Slots, until: now.Add(LoanTerm)})
	}
	return append(notes, n)
}

// need is what one replica should have of our home slots.
type need struct {
	name      string // empty for ourselves
	elsewhere int    // slots that it has beside these
	part      float64
	whole     int
	none      bool // it would have no slot at all without
	turn      *turns
}

// due is how many of the home slots another should have now, and whether it
// takes turns for one. The whole rate is divided by need: who needs little has it
// all, the others have equal parts. Where that comes to less than a slot for
// some, they take turns.
func (b *book) due(now time.Time, other *party) (slots int, turns bool) {
	demands := []int{needed(b.demand(), b.fleet)}
	needs := []need{{elsewhere: total(b.borrowed), turn: &b.turn}}
	for _, p := range b.needy(now) {
		demands = append(demands, p.ask.Demand)
		needs = append(needs, need{name: p.name, elsewhere: max(0, p.elsewhere), turn: &p.turn})
	}
	fair, sum := level(b.fleet, demands), 0.0
	for i := range needs {
		part := min(float64(demands[i]), fair) - float64(needs[i].elsewhere)
		needs[i].part = min(max(part, 0), float64(b.home))
		sum += needs[i].part
	}
	left := b.home
	for i := range needs {
		n := &needs[i]
		if sum > float64(b.home) {
			n.part *= float64(b.home) / sum
		}
		n.whole = int(whole(n.part))
		n.none = n.whole == 0 && n.part > 0 && n.elsewhere == 0
		left -= n.whole
	}
	slices.SortStableFunc(needs, func(a, b need) int { return cmp.Or(a.rank(now)-b.rank(now), a.turn.since.Compare(b.turn.since)) })
	for _, n := range needs {
		more := left > 0 && n.part > float64(n.whole)+rounding
		if more {
			n.whole++
			left--
		}
		if n.none {
			n.turn.set(more, now)
		}
		if n.name == other.name {
			slots, turns = n.whole, n.none
		}
	}
	return slots, turns
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
	case n.name == "":
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
