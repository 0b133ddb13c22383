package ratelimit

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	queue    list.List // of *waiter, first in, first out
	inFlight int
	pacer    *pacer
	book     *book
	throttle throttle
	breaker  *breaker
	timer    *time.Timer // moves the queue on; nil until first needed
	wakeAt   time.Time   // when the timer fires; zero when it doesn't
}

// meters are the region's own metrics, looked up once.
type meters struct {
	wait      prometheus.Observer
	breaker   prometheus.Gauge
	inFlight  prometheus.Gauge
	limit     prometheus.Gauge
	rate      prometheus.Gauge
	slots     [4]prometheus.Gauge // home, lent, borrowed, lacking
	throttled prometheus.Counter
}

// waiter is an Acquire that waits. All is guarded by Gate.mu until resolved
// is closed.
type waiter struct {
	since    time.Time
	place    *list.Element // nil once resolved
	resolved chan struct{}
	permit   *Permit
	err      error
}

// New returns a region's gate. Nothing passes before the first SetParts.
func New(region string, cfg Config, m *metrics.Metrics, log zerolog.Logger) *Gate {
	g := &Gate{
		region: region,
		log:    log.With().Str("region", region).Logger(),
		meters: meters{
			wait:     m.GateWait.WithLabelValues(region),
			breaker:  m.BreakerState.WithLabelValues(region),
			inFlight: m.InFlight.WithLabelValues(region),
			limit:    m.InFlightLimit.WithLabelValues(region),
			rate:     m.RateLimit.WithLabelValues(region),
			slots: [4]prometheus.Gauge{
				m.RateSlots.WithLabelValues(region, "home"), m.RateSlots.WithLabelValues(region, "lent"),
				m.RateSlots.WithLabelValues(region, "borrowed"), m.RateSlots.WithLabelValues(region, "lacking"),
			},
			throttled: m.Throttled.WithLabelValues(region),
		},
		pacer:    newPacer(cfg.Rate, cfg.Burst, time.Now()),
		throttle: newThrottle(cfg.MaxInFlight),
	}
	g.book = newBook("", region, g.pacer.fleet, &g.pacer.slots)
	g.breaker = newBreaker(region, cfg.Breaker, g.breakerChanged)
	g.meters.breaker.Set(0)
	g.measure()
	return g
}

// Acquire waits, first in, first out, until the region's rate and requests
// in flight leave room for one more. An open breaker ends the wait at once
// with an *OpenError, and so does a half-open one that has no probe left;
// otherwise the only error is the context's. A permit may be returned although
// ctx ended at the same moment.
func (g *Gate) Acquire(ctx context.Context) (*Permit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, permit, err := g.enter()
	if w == nil {
		return permit, err
	}
	select {
	case <-w.resolved:
		return w.permit, w.err
	case <-ctx.Done():
		return g.leave(w, ctx.Err())
	}
}

// enter answers at once where it can, and queues otherwise.
func (g *Gate) enter() (*waiter, *Permit, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if hold := g.breaker.refusesFor(now, g.queue.Len()); hold > 0 {
		return nil, nil, &OpenError{Region: g.region, RetryAfter: hold}
	}
	if g.queue.Len() == 0 {
		g.pacer.idle()
		if at, ok := g.next(now); ok && !at.After(now) {
			permit, err := g.grant(now, now)
			return nil, permit, err
		}
	}
	w := &waiter{since: now, resolved: make(chan struct{})}
	w.place = g.queue.PushBack(w)
	g.advance(now)
	return w, nil, nil
}

// leave gives up a wait, unless it was answered meanwhile.
func (g *Gate) leave(w *waiter, cause error) (*Permit, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.place == nil {
		return w.permit, w.err
	}
	g.queue.Remove(w.place)
	w.place = nil
	return nil, cause
}

// start uses a permit's slot from now on, unless it was lost.
func (g *Gate) start(p *Permit) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.started || p.done {
		return p.started
	}
	now := time.Now()
	g.settle(now) // the process may have been frozen for longer than a loan lasts
	p.settled = true
	p.started = g.pacer.slots.start(now)
	g.advance(now) // who waits may know now for how long
	return p.started
}

// done takes a permit back.
func (g *Gate) done(p *Permit, v Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.done {
		return
	}
	p.done = true
	now := time.Now()
	switch asked := v.Kind >= Delivered && v.Kind <= Throttled; {
	case p.settled:
	case asked:
		g.pacer.slots.start(now)
	default:
		g.pacer.slots.giveBack()
	}
	switch v.Kind {
	case Delivered, Refused:
		g.breaker.ended(p.ticket, nil)
		g.throttle.succeeded(p.granted)
	case VendorFault:
		g.breaker.ended(p.ticket, errVendorFault)
	case Throttled:
		g.breaker.ended(p.ticket, errExcluded)
		g.meters.throttled.Inc()
		if g.throttle.slowDown(now, p.granted, v.RetryAfter, g.inFlight) {
			g.log.Warn().Dur("pause", g.throttle.until.Sub(now)).Int("in_flight_limit", g.throttle.inFlight()).
				Msg("throttled: the region pauses and goes on with fewer requests in flight")
		}
	default:
		g.breaker.ended(p.ticket, errExcluded)
	}
	g.inFlight--
	g.advance(now)
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
	g.book.setParts(parts, caughtUp, now)
	g.settle(now)
	g.advance(now)
}

// join tells the gate what the others call this replica, and since when it
// can't have missed an ask.
func (g *Gate) join(name string, since time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.book.me, g.book.lastAsk = name, since
}

// hear takes in what another replica wrote of this rate, and says what to
// answer.
func (g *Gate) hear(n Note) []Note {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	notes := g.book.hear(n, now)
	g.settle(now)
	g.advance(now)
	return notes
}

// tick says what to write of this rate now.
func (g *Gate) tick() []Note {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	notes := g.book.tick(g.queue.Len(), now)
	g.settle(now)
	g.advance(now)
	for i, n := range [4]int{g.book.home, total(g.book.lent), total(g.book.borrowed), g.book.lacks()} {
		g.meters.slots[i].Set(float64(n))
	}
	return notes
}

// settle ends loans that are over, and fits the pace to what is held.
func (g *Gate) settle(now time.Time) {
	g.book.expire(now)
	g.pacer.adjust(now)
}

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
		Waiting:       g.queue.Len(),
		PausedUntil:   g.throttle.until,
	}
}

// next returns when the queue's head may go, or when to look again. ok is
// false when only another call can change the answer. The caller holds g.mu,
// here and below.
func (g *Gate) next(now time.Time) (at time.Time, ok bool) {
	if g.inFlight >= g.throttle.inFlight() {
		return time.Time{}, false
	}
	if g.throttle.until.After(now) {
		g.pacer.wait()
		return g.throttle.until, true
	}
	return g.pacer.next(now)
}

// grant gives a permit to who waited since then; next said that it may be.
func (g *Gate) grant(now, since time.Time) (*Permit, error) {
	ticket, ok := g.breaker.allow()
	if !ok {
		return nil, g.openError(now)
	}
	g.pacer.take(now)
	g.inFlight++
	g.meters.wait.Observe(now.Sub(since).Seconds())
	g.meters.inFlight.Set(float64(g.inFlight))
	return &Permit{gate: g, granted: now, ticket: ticket}, nil
}

// advance moves the queue on as far as it goes, and sets the timer for the
// rest.
func (g *Gate) advance(now time.Time) {
	defer g.measure()
	for g.queue.Len() > 0 {
		if g.breaker.state() == Open {
			g.refuseAll(g.openError(now))
			break
		}
		at, ok := g.next(now)
		if !ok {
			break
		}
		if at.After(now) {
			g.wake(now, at)
			return
		}
		w := g.queue.Front().Value.(*waiter)
		permit, err := g.grant(now, w.since)
		if err != nil {
			g.refuseAll(err)
			break
		}
		g.resolve(w, permit, nil)
	}
}

func (g *Gate) openError(now time.Time) *OpenError {
	hold := g.breaker.refusesFor(now, g.queue.Len())
	if hold <= 0 {
		hold = probeWait
	}
	return &OpenError{Region: g.region, RetryAfter: hold}
}

func (g *Gate) refuseAll(err error) {
	for g.queue.Len() > 0 {
		g.resolve(g.queue.Front().Value.(*waiter), nil, err)
	}
}

func (g *Gate) resolve(w *waiter, permit *Permit, err error) {
	g.queue.Remove(w.place)
	w.place, w.permit, w.err = nil, permit, err
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

func (g *Gate) measure() {
	g.meters.inFlight.Set(float64(g.inFlight))
	g.meters.limit.Set(float64(g.throttle.inFlight()))
	g.meters.rate.Set(g.pacer.perSec())
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
