package ratelimit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	// tickEvery is how often the gates are asked what to write.
	tickEvery = 100 * time.Millisecond

	// catchUpWithin is how long a gained part of a rate waits for the log to be
	// read to its end. Without that it has to wait for as long as a loan lasts.
	catchUpWithin = 300 * time.Millisecond
)

// board is a log that all replicas read in the same order.
type board interface {
	// Follow calls each for every note from where the log ended at the first
	// call, and reached whenever all that was there has been read. It ends
	// with ctx or with an error, and goes on there at the next call.
	Follow(ctx context.Context, each func(Note), reached func(offset int64)) error
	// End is the offset after the last note that is there now.
	End(ctx context.Context) (int64, error)
	// Write returns nil once the notes are in the log, in their order. After
	// an error they may be, or come there later.
	Write(ctx context.Context, notes []Note) error
}

// Exchange lets a process's gates lend and borrow. Without one that runs they
// keep to their own parts. It is safe for concurrent use.
type Exchange struct {
	name  string
	gates *Gates
	board board
	log   zerolog.Logger

	out     chan []Note // a bounded outbox: what doesn't fit is as good as lost
	mu      sync.Mutex
	at      int64         // up to there the board was read
	moved   chan struct{} // closed and made anew when at changes
	running atomic.Bool
}

// NewExchange makes the exchange of a replica's gates. The replica's name is its
// own for all time.
func NewExchange(name string, gates *Gates, b board, log zerolog.Logger) *Exchange {
	return &Exchange{name: name, gates: gates, board: b, log: log, out: make(chan []Note, 64), moved: make(chan struct{})}
}

// Run carries notes until ctx ends. What fails is tried again; meanwhile loans
// run out.
func (x *Exchange) Run(ctx context.Context) {
	since := time.Now()
	if end, err := x.board.End(ctx); err == nil && end == 0 {
		since = time.Time{} // nobody has ever asked
	}
	x.gates.join(x.name, since)
	x.running.Store(true)
	defer x.running.Store(false)
	var wg sync.WaitGroup
	wg.Go(func() { x.follow(ctx) })
	wg.Go(func() { x.write(ctx) })
	wg.Go(func() { x.tick(ctx) })
	wg.Wait()
}

func (x *Exchange) follow(ctx context.Context) {
	warned := false
	for ctx.Err() == nil {
		err := x.board.Follow(ctx,
			func(n Note) { x.send(x.gates.hear(n)) },
			func(offset int64) {
				x.mu.Lock()
				x.at = offset
				close(x.moved)
				x.moved = make(chan struct{})
				x.mu.Unlock()
			})
		if ctx.Err() != nil {
			return
		}
		x.gates.join(x.name, time.Now()) // an ask may be missed
		if err != nil && !warned {
			warned = true
			x.log.Warn().Err(err).Msg("the rates' topic can't be read; what others don't use of a region's rate can't be had until it can")
		}
		after(ctx, time.Second)
	}
}

func (x *Exchange) tick(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			x.send(x.gates.tick())
		case <-ctx.Done():
			return
		}
	}
}

func (x *Exchange) send(notes []Note) {
	if len(notes) == 0 {
		return
	}
	select {
	case x.out <- notes:
	default:
	}
}

// write puts notes on the board, those that wait together.
func (x *Exchange) write(ctx context.Context) {
	for {
		select {
		case notes := <-x.out:
			for more := true; more; {
				select {
				case next := <-x.out:
					notes = append(notes, next...)
				default:
					more = false
				}
			}
			// What can't be written is lost, and comes back when loans run out.
			if err := x.board.Write(ctx, notes); err != nil && ctx.Err() == nil {
				x.log.Debug().Err(err).Msg("notes about rates can't be written")
			}
		case <-ctx.Done():
			return
		}
	}
}

// CatchUp reads the board to its end as it is now, and reports whether that
// was possible within a short time.
func (x *Exchange) CatchUp(ctx context.Context) bool {
	if !x.running.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpWithin)
	defer cancel()
	end, err := x.board.End(ctx)
	for err == nil {
		x.mu.Lock()
		at, moved := x.at, x.moved
		x.mu.Unlock()
		if at >= end {
			return true
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// after waits, unless ctx ends first.
func after(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
