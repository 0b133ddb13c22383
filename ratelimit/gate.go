package ratelimit

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

// Gate is a region's. It is safe for concurrent use. It has no goroutine and
// needs no closing; its timer only runs while somebody waits.
type Gate struct {
	region string
	log    zerolog.Logger
	meters meters

	mu       sync.Mutex
	line     line               // those that wait for the region alone, and what all flows had
	senders  map[string]*sender // those that have a rate
	arrived  uint64             // requests
	waiting  int                // those that wait, in all lines
	inFlight int
	pacer    *pacer
	book     *book
	throttle throttle
	breaker  *breaker
	timer    *time.Timer // moves the queue on; nil until first needed
	wakeAt   time.Time   // when the timer fires; zero when it doesn't
}

// New returns a region's gate. Nothing passes before the first SetParts.
func New(region string, cfg Config, m *metrics.Metrics, log zerolog.Logger) *Gate {
	g := &Gate{
		region:   region,
		log:      log.With().Str("region", region).Logger(),
		line:     newLine(),
		senders:  make(map[string]*sender, len(cfg.Senders)),
		pacer:    newPacer(cfg.Rate, cfg.Burst, time.Now()),
		throttle: newThrottle(cfg.MaxInFlight),
	}
	g.book = newBook("", region, g.pacer.fleet, &g.pacer.slots)
	for id, c := range cfg.Senders {
		g.senders[id] = newSender(region, id, c)
	}
	g.meters = newMeters(m, region, g.senders)
	g.breaker = newBreaker(region, cfg.Breaker, g.breakerChanged)
	g.meters.breaker.Set(0)
	g.measure()
	return g
}

// Acquire waits until it is the request's turn and the region's rate, its
// requests in flight and the sender's rate leave room for one more. Who waits
// for a sender holds nobody else up. An open breaker ends the wait at once
// with an *OpenError, and so does a half-open one that has no probe left; a
// sender that is too busy for the request's patience ends it with a *BusyError
// before it begins. Otherwise the only error is the context's. A permit may be
// returned although ctx ended at the same moment.
func (g *Gate) Acquire(ctx context.Context, r Request) (*Permit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.Purpose = max(r.Purpose, Marketing)
	w := &waiter{sender: g.senders[r.Sender]}
	if w.sender != nil {
		w.uses = max(1, r.Uses())
	}
	if resolved, err := g.enter(w, r); resolved {
		return w.permit, err
	}
	select {
	case <-w.resolved:
		return w.permit, w.err
	case <-ctx.Done():
		return g.leave(w, ctx.Err())
	}
}

// enter answers at once where it can, and queues otherwise.
func (g *Gate) enter(w *waiter, r Request) (resolved bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if hold := g.breaker.refusesFor(now, g.waiting); hold > 0 {
		return true, &OpenError{Region: g.region, RetryAfter: hold}
	}
	w.flow = g.line.flow(r.Flow, r.Purpose)
	w.since, w.number, w.lane = now, g.arrived, w.flow
	g.arrived++
	if s := w.sender; s != nil {
		w.lane = s.line.flow(r.Flow, r.Purpose)
		if s.line.n == 0 {
			s.pacer.idle()
		}
		if wait := s.wait(r.Purpose); r.Patience > 0 && wait > r.Patience {
			return true, &BusyError{Region: g.region, Sender: s.name, Wait: wait}
		}
	}
	if g.waiting == 0 {
		g.pacer.idle()
		if g.passes(w, now) {
			if w.permit, err = g.grant(now, w); err == nil {
				g.line.serve(choice{w: w, f: w.flow}, 1)
			}
			return true, err
		}
	}
	if w.sender != nil && g.breaker.state() == HalfOpen && !g.passes(w, now) {
		return true, &OpenError{Region: g.region, RetryAfter: probeWait} // it would keep others from probing
	}
	g.push(w)
	g.advance(now)
	return false, nil
}

// push lets w wait.
func (g *Gate) push(w *waiter) {
	w.resolved = make(chan struct{})
	g.lineOf(w).push(w)
	g.waiting++
}

// remove ends w's wait.
func (g *Gate) remove(w *waiter) {
	g.lineOf(w).remove(w)
	g.waiting--
}

// lineOf is where w waits.
func (g *Gate) lineOf(w *waiter) *line {
	if w.sender != nil {
		return &w.sender.line
	}
	return &g.line
}

// leave gives up a wait, unless it was answered meanwhile.
func (g *Gate) leave(w *waiter, cause error) (*Permit, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.place == nil {
		return w.permit, w.err
	}
	g.remove(w)
	g.advance(time.Now()) // who comes next may need less
	return nil, cause
}

// SetParts tells this replica's parts of the fleet: of the rate and of the
// burst, not of the requests in flight, which are limited per replica. Parts
// must not overlap those of another replica, so give up before another takes
// over. What is lost is gone at once; what is gained is usable after a span,
// and after what its former owner may have lent is over, unless caughtUp says
// that the log of loans was read to its end since.
func (g *Gate) SetParts(parts []Part, caughtUp bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for b := range g.books() {
		b.setParts(parts, caughtUp, now)
	}
	for _, s := range g.senders {
		s.settle(now)
	}
	g.settle(now)
	g.advance(now)
}

// join tells the gate what the others call this replica, and since when it
// can't have missed an ask.
func (g *Gate) join(name string, since time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for b := range g.books() {
		b.me, b.lastAsk = name, since
	}
}

// hear takes in what another replica wrote of one of the rates, and says what
// to answer.
func (g *Gate) hear(n Note) (notes []Note) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.book.rate == n.Rate {
		notes = g.book.hear(n, now)
	}
	for _, s := range g.senders {
		if s.book.rate == n.Rate {
			notes = s.book.hear(n, now)
			s.settle(now)
		}
	}
	g.settle(now)
	g.advance(now)
	return notes
}

// tick says what to write of the rates now.
func (g *Gate) tick() []Note {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	passable := g.line.n
	for _, s := range g.senders {
		passable += s.passable()
	}
	notes := g.book.tick(passable, now)
	for _, s := range g.senders {
		notes = append(notes, s.tick(now)...)
	}
	g.settle(now)
	g.advance(now)
	g.measureRates()
	return notes
}

// books are the rates', the region's first.
func (g *Gate) books() iter.Seq[*book] {
	return func(yield func(*book) bool) {
		if !yield(g.book) {
			return
		}
		for _, s := range g.senders {
			if !yield(s.book) {
				return
			}
		}
	}
}

// settle ends loans that are over, and fits the region's pace to what is held.
func (g *Gate) settle(now time.Time) {
	g.book.expire(now)
	g.pacer.adjust(now)
}

// next returns when the region lets another one through, or when to look
// again. ok is false when only another call can change the answer. The caller
// holds g.mu, here and below.
func (g *Gate) next(now time.Time) (at time.Time, ok bool) {
	if g.inFlight >= g.throttle.inFlight() {
		return time.Time{}, false
	}
	if g.throttle.until.After(now) {
		g.pacer.wait()
		return g.throttle.until, true
	}
	return g.pacer.next(1, now)
}

// passes reports whether w may have its permit now.
func (g *Gate) passes(w *waiter, now time.Time) bool {
	if s := w.sender; s != nil {
		s.turn = choice{w: w, f: w.lane}
		if at, ok := s.next(w.uses, now); !ok || at.After(now) {
			return false
		}
	}
	at, ok := g.next(now)
	return ok && !at.After(now)
}

// choose says whose turn it is, of those whose sender lets them through now.
// Where there is none, at is when to look again, and zero when only another
// call can change the answer.
func (g *Gate) choose(now time.Time) (c choice, at time.Time) {
	c = g.line.first()
	for _, s := range g.senders {
		if s.line.n == 0 {
			continue
		}
		s.turn = s.line.first()
		switch ready, ok := s.next(s.turn.w.uses, now); {
		case ok && !ready.After(now):
			g.line.offer(&c, s.turn.w, s.turn.w.flow)
		case ok && (at.IsZero() || ready.Before(at)):
			at = ready
		}
	}
	return c, at
}

// grant gives a permit to w, which may have it now.
func (g *Gate) grant(now time.Time, w *waiter) (*Permit, error) {
	ticket, ok := g.breaker.allow()
	if !ok {
		return nil, g.openError(now)
	}
	p := &Permit{gate: g, granted: now, ticket: ticket, sender: w.sender, uses: w.uses}
	g.pacer.take(1, now)
	if s := w.sender; s != nil {
		p.slots = s.take(w.uses, now)
		s.line.serve(s.turn, w.uses)
	}
	g.inFlight++
	g.meters.wait.Observe(now.Sub(w.since).Seconds())
	g.meters.inFlight.Set(float64(g.inFlight))
	return p, nil
}

// advance moves the lines on as far as they go, and sets the timer for the
// rest.
func (g *Gate) advance(now time.Time) {
	defer g.measure()
	for g.waiting > 0 {
		if g.breaker.state() == Open {
			g.refuseAll(g.openError(now))
			return
		}
		at, ok := g.next(now)
		if !ok {
			return
		}
		if at.After(now) {
			g.wake(now, at)
			return
		}
		c, at := g.choose(now)
		if c.w == nil {
			if !at.IsZero() {
				g.wake(now, at)
			}
			return
		}
		permit, err := g.grant(now, c.w)
		if err != nil {
			g.refuseAll(err)
			return
		}
		g.line.serve(c, 1)
		g.resolve(c.w, permit, nil)
	}
}

func (g *Gate) openError(now time.Time) *OpenError {
	hold := g.breaker.refusesFor(now, g.waiting)
	if hold <= 0 {
		hold = probeWait
	}
	return &OpenError{Region: g.region, RetryAfter: hold}
}

func (g *Gate) refuseAll(err error) {
	lines := []*line{&g.line}
	for _, s := range g.senders {
		lines = append(lines, &s.line)
	}
	for _, l := range lines {
		for l.n > 0 {
			g.resolve(l.first().w, nil, err)
		}
	}
}

func (g *Gate) resolve(w *waiter, permit *Permit, err error) {
	g.remove(w)
	w.permit, w.err = permit, err
	close(w.resolved)
}

// wake sets the timer. One that fires early or for nothing does no harm.
func (g *Gate) wake(now, at time.Time) {
	if at.Equal(g.wakeAt) {
		return
	}
	g.wakeAt = at
	if g.timer == nil {
		g.timer = time.AfterFunc(at.Sub(now), g.woken)
	} else {
		g.timer.Reset(at.Sub(now))
	}
}

func (g *Gate) woken() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wakeAt = time.Time{}
	now := time.Now()
	g.settle(now)
	g.advance(now)
}

// breakerChanged runs within calls of the breaker, that is, under g.mu.
func (g *Gate) breakerChanged(from, to State) {
	g.meters.breaker.Set(float64(to - Closed))
	event := g.log.Info()
	if to == Open {
		event = g.log.Warn()
	}
	event.Stringer("from", from).Stringer("to", to).Msg("circuit breaker changed")
}
