package ratelimit

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// pacer says when the next permit may be given: never without a slot, evenly
// spaced under load, with a burst after idleness. It is pure arithmetic over the
// times that it is told, which must not go backwards; it is not safe for
// concurrent use.
type pacer struct {
	fleet  int // slots of the whole rate
	burst  int // the fleet's
	slots  slots
	bucket *rate.Limiter // spacing and burst
	waited bool          // somebody was kept waiting by the slots or a pause
}

func newPacer(fleetRate float64, burst int, now time.Time) *pacer {
	n, span := slotsOf(fleetRate)
	p := &pacer{fleet: n, burst: burst, slots: slots{span: span}, bucket: rate.NewLimiter(0, 0)}
	p.adjust(now)
	return p
}

// perSec is how many messages per second may be sent with what is held.
func (p *pacer) perSec() float64 {
	return float64(p.slots.held()) * float64(Window) / float64(p.slots.span)
}

// adjust fits the spacing to what is held now.
func (p *pacer) adjust(now time.Time) {
	held := max(p.slots.held(), 0)
	burst := 0
	if held > 0 {
		burst = min(max(int(float64(p.burst)*float64(held)/float64(p.fleet)), 1), held)
	}
	if p.bucket.Burst() == 0 && burst > 0 {
		// It begins with one and not with a burst. A slot that comes after there
		// was none has rested; nobody waits for the spacing as well.
		p.bucket = rate.NewLimiter(rate.Limit(p.perSec()), burst)
		p.bucket.AllowN(now, burst-1)
		return
	}
	p.bucket.SetLimitAt(now, rate.Limit(p.perSec()))
	p.bucket.SetBurstAt(now, burst)
}

// next returns the earliest time at which a permit may have k slots. ok is
// false when no time will come unless something else happens.
func (p *pacer) next(k int, now time.Time) (at time.Time, ok bool) {
	at, ok = p.slots.next(k, now)
	if !ok || at.After(now) {
		p.waited = true
		return at, ok
	}
	if wait := (1 - p.tokens(now)) / float64(p.bucket.Limit()) * float64(time.Second); wait >= 1 {
		at = now.Add(time.Duration(math.Ceil(min(wait, math.MaxInt64/4))))
	}
	return at, true
}

// tokens are the bucket's. Who was kept waiting by the slots or a pause
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

// take gives a permit k slots; next said that it may have them now. They are
// its alone until start or giveBack. Who comes next waits for all of them.
func (p *pacer) take(k int, now time.Time) {
	p.bucket.ReserveN(now, min(k, p.bucket.Burst()))
	p.slots.take(k)
}

// wait says that somebody is kept waiting by something other than the pace.
func (p *pacer) wait() { p.waited = true }

// idle says that nobody waits.
func (p *pacer) idle() { p.waited = false }
