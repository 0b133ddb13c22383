package ratelimit

import (
	"container/list"
	"slices"
	"time"
)

// floor is how many transactional messages pass a waiting marketing one before
// that has its turn: of ten, one is marketing's.
const floor = 9

// line is who waits for one rate, in flows. In a flow who came first goes
// first. Flows take turns by what they had: the one that had least goes next,
// and who had nothing for a while isn't owed for it. It is not safe for
// concurrent use.
type line struct {
	flows  map[flowName]*flow // all that there were; they are the configuration's
	busy   []*flow            // those in which somebody waits
	had    float64            // by those that had their part until now
	passed int                // transactional ones that passed a waiting marketing one, in a row
	n      int
	uses   [Transactional + 1]int // of those that wait, by purpose
}

type flowName struct {
	name    string
	purpose Purpose
}

type flow struct {
	purpose Purpose
	had     float64
	waiting list.List // of *waiter
}

// waiter is an Acquire that waits. All is guarded by Gate.mu until resolved
// is closed.
type waiter struct {
	number   uint64 // rises with each
	since    time.Time
	flow     *flow   // of all that pass the gate
	sender   *sender // nil, or who has a rate as well
	lane     *flow   // of the line that it waits in: the gate's or the sender's
	uses     int     // of the sender's rate
	place    *list.Element
	resolved chan struct{} // nil for one that never waits
	permit   *Permit
	err      error
}

func newLine() line { return line{flows: map[flowName]*flow{}} }

// flow is the flow of that name.
func (l *line) flow(name string, p Purpose) *flow {
	f := l.flows[flowName{name, p}]
	if f == nil {
		f = &flow{purpose: p}
		l.flows[flowName{name, p}] = f
	}
	return f
}

// push lets w wait at the end of its lane.
func (l *line) push(w *waiter) {
	if w.lane.waiting.Len() == 0 {
		l.busy = append(l.busy, w.lane)
	}
	w.place = w.lane.waiting.PushBack(w)
	l.n++
	l.uses[w.lane.purpose] += w.uses
}

// remove ends w's wait.
func (l *line) remove(w *waiter) {
	w.lane.waiting.Remove(w.place)
	w.place = nil
	l.n--
	l.uses[w.lane.purpose] -= w.uses
	if w.lane.waiting.Len() == 0 {
		l.busy = slices.DeleteFunc(l.busy, func(f *flow) bool { return f == w.lane })
	}
}

// ahead is how much those take that go before a new one of that purpose.
func (l *line) ahead(p Purpose) int {
	if p == Transactional {
		return l.uses[Transactional]
	}
	return l.uses[Transactional] + l.uses[Marketing]
}

// choice is whose turn it is in a line.
type choice struct {
	w         *waiter
	f         *flow
	marketing bool // one was there to choose
}

// offer puts w, which is of the flow f, up for choice.
func (l *line) offer(c *choice, w *waiter, f *flow) {
	c.marketing = c.marketing || f.purpose == Marketing
	if c.w == nil || l.before(w, f, c) {
		c.w, c.f = w, f
	}
}

func (l *line) before(w *waiter, f *flow, c *choice) bool {
	switch {
	case f.purpose != c.f.purpose:
		return (f.purpose == Transactional) == (l.passed < floor)
	case f != c.f && f.had != c.f.had:
		return f.had < c.f.had
	default:
		return w.number < c.w.number
	}
}

// first is whose turn it is of those that wait in the line itself.
func (l *line) first() (c choice) {
	for _, f := range l.busy {
		l.offer(&c, f.waiting.Front().Value.(*waiter), f)
	}
	return c
}

// serve counts what the chosen one has.
func (l *line) serve(c choice, cost int) {
	l.had = max(l.had, c.f.had)
	c.f.had = l.had + float64(cost)
	switch {
	case c.f.purpose == Marketing:
		l.passed = 0
	case c.marketing:
		l.passed++
	}
}
