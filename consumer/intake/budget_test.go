package intake

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"

	"engage-worker/actions/jsvalue"
)

// acquire waits for room until ctx ends.
func acquire(ctx context.Context, b *Budget, n int) (cost int64, err error) {
	c := claim{granted: make(chan struct{}, 1)}
	if b.ask(&c, n) {
		return c.cost, nil
	}
	select {
	case <-c.granted:
		return c.cost, nil
	case <-ctx.Done():
		b.leave(&c)
		return 0, ctx.Err()
	}
}

// TestBudget: what doesn't fit waits its turn, and gives nothing up that it
// doesn't have; one that never fits takes all there is.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "open"})
		const size = 10 * eventOverhead
		b := NewBudget(size, gauge)
		take := func(n int, want int64) int64 {
			t.Helper()
			cost, err := acquire(t.Context(), b, n)
			if err != nil || cost != want {
				t.Errorf("%d bytes cost %d, %v; want %d", n, cost, err, want)
			}
			return cost
		}
		small := take(eventOverhead, 2*eventOverhead)
		if b.Short() {
			t.Error("short, though nobody waits")
		}
		huge := make(chan int64)
		go func() { huge <- take(1<<30, size) }()
		synctest.Wait()
		if !b.Short() {
			t.Error("somebody waits, and it isn't short")
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := acquire(ctx, b, 0) // would fit, but has to wait its turn
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("given up with %v", err)
		}
		b.Release(small)
		b.Release(<-huge)
		if open := testutil.ToFloat64(gauge); open != 0 || b.Short() {
			t.Errorf("%v bytes are open, short %t", open, b.Short())
		}
		b.Release(take(size-eventOverhead, size)) // all of it is there again
	})
}

// TestBudgetGivenUp: who gives up holds nobody up, also when it gets its room at the
// same moment.
func TestBudgetGivenUp(t *testing.T) {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "open"})
	const size = 4 * eventOverhead
	b := NewBudget(size, gauge)
	held, large, small := claim{}, claim{granted: make(chan struct{}, 1)}, claim{granted: make(chan struct{}, 1)}
	if !b.ask(&held, 0) || b.ask(&large, size) || b.ask(&small, 0) {
		t.Fatal("the large one has room, or another hasn't")
	}
	b.leave(&large)
	<-small.granted // which fits now
	b.Release(small.cost)
	if b.ask(&large, size) {
		t.Fatal("it has room")
	}
	b.Release(held.cost)
	b.leave(&large) // was granted
	if open := testutil.ToFloat64(gauge); open != 0 || b.Short() || !b.ask(&large, size) {
		t.Errorf("%v bytes are open, short %t", open, b.Short())
	}
}

// TestBudgetOfDecoded: of sixty events of 1 MB that decode to many times that,
// no more are open at once than the budget has memory for.
func TestBudgetOfDecoded(t *testing.T) {
	const size = 100 << 20
	b := NewBudget(size, prometheus.NewGauge(prometheus.GaugeOpts{Name: "open"}))
	value := []byte(`{"a":[` + strings.Repeat("{},", 333_000) + `{}]}`)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	var open []any
	for range 60 {
		ev := &Event{Message: kafka.Message{Value: append([]byte(nil), value...)}}
		if !b.ask(&claim{}, ev.size()) {
			break
		}
		decoded, err := jsvalue.Decode(string(ev.Message.Value))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, ev, decoded)
	}
	if used := heap() - before; used > size || len(open) < 2*3 {
		t.Errorf("%d events are open and take %d bytes of %d", len(open)/2, used, size)
	}
	runtime.KeepAlive(open)

	small := &Event{Message: kafka.Message{Value: []byte(`{"type":"track","properties":{"a":1,"b":[1,2,3]}}`)}}
	if got, want := small.size(), len(small.Message.Value); got != want {
		t.Errorf("an event whose decoded form is small takes %d bytes, want %d", got, want)
	}
}
