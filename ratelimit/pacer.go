package ratelimit

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// Window is the second in which a rate holds, and a margin for what the
// network does to the spacing. A share that is taken can be used after as long.
const Window = 1020 * time.Millisecond

// pacer says when the next permit may be given: never more than the share
// of the rate in any window, evenly spaced under load, with a burst after
// idleness. It is pure arithmetic over the times that it is told, which must
// not go backwards; it is not safe for concurrent use.
type pacer struct {
	rate  float64 // the fleet's
	burst int     // the fleet's

	share  share
	perSec float64       // the usable rate of this replica
	slots  int           // permits in any span; 0 lets nothing through
	span   time.Duration // Window, or longer when perSec is less than one
	epoch  time.Time
	open   int           // permits given and neither started nor given back
	given  window        // when requests started, since epoch
	bucket *rate.Limiter // spacing and burst
	waited bool          // somebody was kept waiting by the window or a pause
}

func newPacer(fleetRate float64, burst int, now time.Time) *pacer {
	p := &pacer{rate: max(fleetRate, 0), burst: burst, epoch: now, share: newShare(), bucket: rate.NewLimiter(0, 0)}
	p.apply(0, now)
	return p
}

// setShare holds a fraction of the fleet's rate from now on.
func (p *pacer) setShare(fraction float64, now time.Time) {
	p.hold(p.rate*clamp(fraction), now)
}

// setParts holds parts of the fleet's rate from now on.
func (p *pacer) setParts(parts []Part, now time.Time) {
	p.hold(worth(p.rate, parts), now)
}

func (p *pacer) hold(perSec float64, now time.Time) {
	p.share.set(perSec, now)
	p.settle(now)
}

// settle puts what is in force now into effect and returns when that will
// rise, or the zero time.
func (p *pacer) settle(now time.Time) (rise time.Time) {
	perSec, rise := p.share.inForce(now)
	if perSec != p.perSec {
		p.apply(perSec, now)
	}
	return rise
}

// apply changes the usable rate. The bucket starts empty: a re-split is no
// idleness.
func (p *pacer) apply(perSec float64, now time.Time) {
	p.perSec = perSec
	switch {
	case perSec >= 1:
		p.slots, p.span = int(min(whole(perSec), math.MaxInt32)), Window
		perSec = float64(p.slots)
	case perSec > 0:
		p.slots, p.span = 1, time.Duration(min(float64(Window)/perSec, math.MaxInt64/4))
	default:
		p.slots, p.span = 0, Window
	}
	burst := 1
	if p.rate > 0 {
		burst = min(max(int(float64(p.burst)*p.perSec/p.rate), 1), max(p.slots, 1))
	}
	p.bucket = rate.NewLimiter(rate.Limit(perSec), burst)
	p.bucket.AllowN(now, burst)
}

// next returns the earliest time at which a permit may be given, or at which
// to ask again because the share rises. ok is false when no time will come.
func (p *pacer) next(now time.Time) (at time.Time, ok bool) {
	rise := p.settle(now)
	if p.slots == 0 {
		return rise, !rise.IsZero()
	}
	at = now
	p.given.forget(now.Sub(p.epoch) - p.span)
	if p.open+p.given.n >= p.slots {
		p.waited = true
		if p.open >= p.slots { // one of them has to start, or to be given back
			return rise, !rise.IsZero()
		}
		at = p.epoch.Add(p.given.last(p.slots-p.open) + p.span)
	} else if wait := (1 - p.tokens(now)) / float64(p.bucket.Limit()) * float64(time.Second); wait >= 1 {
		at = now.Add(time.Duration(math.Ceil(min(wait, math.MaxInt64/4))))
	}
	if !rise.IsZero() && rise.Before(at) {
		at = rise
	}
	return at, true
}

// tokens are the bucket's. Who was kept waiting by the window or a pause
// wasn't idle, so that the time spent so earns no burst.
func (p *pacer) tokens(now time.Time) float64 {
	tokens := p.bucket.TokensAt(now)
	if p.waited {
		p.waited = false
		if excess := int(tokens) - 1; excess > 0 {
			p.bucket.AllowN(now, excess)
			tokens -= float64(excess)
		}
	}
	return tokens
}

// take gives a permit; next said that it may be given now. It counts as if
// it were used all the time until start says that it was, or giveBack that
// it won't be.
func (p *pacer) take(now time.Time) {
	p.bucket.AllowN(now, 1)
	p.open++
}

// start says that the request of a permit leaves now.
func (p *pacer) start(now time.Time) {
	p.open--
	p.given.add(now.Sub(p.epoch))
}

// giveBack returns a permit whose request never left.
func (p *pacer) giveBack() { p.open-- }

// wait says that somebody is kept waiting by something other than the pace.
func (p *pacer) wait() { p.waited = true }

// idle says that nobody waits.
func (p *pacer) idle() { p.waited = false }
