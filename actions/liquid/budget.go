package liquid

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Budget is what all the renderings for one delivery may still do together. A
// unit is some ten nanoseconds and some tens of bytes; everything that a
// rendering does costs what it takes, so that the same template with the same
// variables always comes out the same. It is used by one goroutine.
type Budget struct {
	ctx   context.Context
	left  float64
	check float64 // the context and the clock are looked at below this
	began time.Time
	limit time.Duration
}

const (
	maxWork    = 2 << 20         // units
	checkEvery = 16 << 10        // units
	maxTime    = 2 * time.Second // by the clock, which a busy machine alone reaches
)

// errTooMuch is the one reason for a budget to fail a template.
var errTooMuch = errors.New("the template does too much work")

// NewBudget makes a budget for one delivery. Renderings end when ctx does.
func NewBudget(ctx context.Context) *Budget {
	b := &Budget{}
	b.Reset(ctx)
	return b
}

// Reset makes b a new budget.
func (b *Budget) Reset(ctx context.Context) {
	*b = Budget{ctx: ctx, left: maxWork, check: maxWork - checkEvery, limit: maxTime}
}

// InterruptedError is a rendering that didn't come to its end: its context did, or it
// took too long by the clock. That is no fault of the template or the event;
// another time it may well succeed.
type InterruptedError struct{ Err error }

func (e *InterruptedError) Error() string { return "rendering was interrupted: " + e.Err.Error() }

func (e *InterruptedError) Unwrap() error { return e.Err }

// Spend takes from what may still be done.
func (b *Budget) Spend(units float64) error {
	b.left -= units
	if b.left >= b.check {
		return nil
	}
	return b.look()
}

// look looks at what can end a rendering.
func (b *Budget) look() error {
	if !(b.left >= 0) { // NaN is too much as well
		b.left = -1
		return errTooMuch
	}
	b.check = max(0, b.left-checkEvery)
	if err := context.Cause(b.ctx); err != nil {
		return &InterruptedError{err}
	}
	switch now := time.Now(); {
	case b.began.IsZero():
		b.began = now
	case now.Sub(b.began) > b.limit:
		return &InterruptedError{fmt.Errorf("it took more than %s; the machine may be busy", b.limit)}
	}
	return nil
}
