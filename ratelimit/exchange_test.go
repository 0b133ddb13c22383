package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

// memory is a board in memory, which takes a while.
type memory struct {
	mu    sync.Mutex
	notes []Note
	grown chan struct{}
	away  bool
}

var errAway = errors.New("away")

func (m *memory) state() (notes []Note, grown chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, nil, errAway
	}
	return m.notes, m.grown, nil
}

func (m *memory) End(context.Context) (int64, error) {
	notes, _, err := m.state()
	return int64(len(notes)), err
}

func (m *memory) Write(ctx context.Context, notes []Note) error {
	after(ctx, 8*time.Millisecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errAway
	}
	m.notes = append(m.notes, notes...)
	close(m.grown)
	m.grown = make(chan struct{})
	return nil
}

// reader is a replica's way to read a board.
type reader struct {
	*memory
	at int
}

func (r *reader) Follow(ctx context.Context, each func(Note), reached func(int64)) error {
	for {
		notes, grown, err := r.state()
		if err != nil {
			return err
		}
		for ; r.at < len(notes); r.at++ {
			each(notes[r.at])
		}
		reached(int64(r.at))
		select {
		case <-grown:
			after(ctx, 3*time.Millisecond)
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// TestExchange: what two idle replicas don't use the third does; while the
// board is away each keeps to its own; and no second has more than the rate.
func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := &memory{grown: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var gates []*Gates
		var exchanges []*Exchange
		for i := range 3 {
			g := NewGates(map[string]Config{"us": {Rate: 60, Burst: 60, MaxInFlight: 128}}, Config{}, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
			x := NewExchange(fmt.Sprint("r", i), g, &reader{memory: board}, zerolog.Nop())
			gates, exchanges = append(gates, g), append(exchanges, x)
			wg.Go(func() { x.Run(ctx) })
		}
		synctest.Wait()
		for i, g := range gates {
			if !exchanges[i].CatchUp(ctx) {
				t.Error("a board that is there can't be read to its end")
			}
			part := []Part{{float64(i) / 3, float64(i+1) / 3, forever}}
			g.SetParts(func(string) []Part { return part }, true)
		}
		var mu sync.Mutex
		var started []time.Time
		load := func(ctx context.Context, g *Gates) {
			gate := g.Get("us")
			for range 100 {
				wg.Go(func() {
					for {
						p, err := gate.Acquire(ctx, Request{})
						if err != nil {
							return
						}
						if p.Start() {
							mu.Lock()
							started = append(started, time.Now())
							mu.Unlock()
						}
						time.Sleep(50 * time.Millisecond)
						p.Done(Verdict{Kind: Delivered})
					}
				})
			}
		}
		perSecond := func(seconds int) int {
			mu.Lock()
			before := len(started)
			mu.Unlock()
			time.Sleep(time.Duration(seconds) * time.Second)
			mu.Lock()
			defer mu.Unlock()
			return (len(started) - before) / seconds
		}
		load(ctx, gates[0])
		time.Sleep(3 * time.Second)
		if got := perSecond(10); got < 57 {
			t.Errorf("%d/s of 60/s while the others are idle", got)
		}
		second, stop := context.WithCancel(ctx)
		load(second, gates[1])
		time.Sleep(3 * time.Second)
		if got := perSecond(10); got < 57 {
			t.Errorf("%d/s of 60/s of two", got)
		}
		if s := gates[1].Snapshots()[0]; s.Rate < 27 || s.Rate > 33 {
			t.Errorf("the second has %v/s of 60/s for two: %+v", s.Rate, s)
		}
		board.mu.Lock()
		board.away = true
		board.mu.Unlock()
		stop()
		time.Sleep(LoanTerm + 2*time.Second)
		if got := perSecond(10); got < 18 || got > 20 {
			t.Errorf("%d/s without the board, of which 20/s are its own", got)
		}
		if exchanges[0].CatchUp(ctx) {
			t.Error("a board that is away can be read to its end")
		}
		board.mu.Lock()
		board.away = false
		board.mu.Unlock()
		time.Sleep(4 * time.Second)
		if got := perSecond(10); got < 57 {
			t.Errorf("%d/s of 60/s with the board again", got)
		}
		cancel()
		wg.Wait()
		slices.SortFunc(started, time.Time.Compare)
		if got := mostInASecond(started); got > 60 {
			t.Errorf("%d in a second", got)
		}
	})
}

// TestLowRatesAreUsed: real gates use a rate of about as many messages a second as
// there are replicas, or fewer, by turns.
func TestLowRatesAreUsed(t *testing.T) {
	for _, perSecond := range []float64{0.2, 1, 2.5, 3, 5, 10} {
		t.Run(fmt.Sprint(perSecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				board := &memory{grown: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				config := map[string]Config{"us": {Rate: perSecond, Burst: 1, MaxInFlight: 128}}
				var started []func() []time.Time
				var wg sync.WaitGroup
				for i := range 3 {
					gates := NewGates(config, Config{}, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
					x := NewExchange(fmt.Sprint("r", i), gates, &reader{memory: board}, zerolog.Nop())
					wg.Go(func() { x.Run(ctx) })
					synctest.Wait()
					part := []Part{{float64(i) / 3, float64(i+1) / 3, forever}}
					gates.SetParts(func(string) []Part { return part }, true)
					started = append(started, sending(ctx, gates.Get("us"), Request{}, 10))
				}
				time.Sleep(20 * time.Second)
				count := func() (n int) {
					for _, of := range started {
						n += len(of())
					}
					return n
				}
				before := count()
				const seconds = 200
				time.Sleep(seconds * time.Second)
				if got, want := count()-before, perSecond*seconds/Window.Seconds()*0.95; float64(got) < want-1 {
					t.Errorf("%d started in %d s, want %.0f", got, seconds, want)
				}
				var all []time.Time
				for _, of := range started {
					all = append(all, of()...)
				}
				slices.SortFunc(all, time.Time.Compare)
				n, span := slotsOf(perSecond)
				for i := n; i < len(all); i++ {
					if d := all[i].Sub(all[i-n]); d < span {
						t.Errorf("%d within %v", n+1, d)
					}
				}
				cancel()
				wg.Wait()
				time.Sleep(time.Second)
			})
		})
	}
}
