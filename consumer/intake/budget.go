package intake

import (
	"context"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

// Budget bounds the bytes of all open events of the process, so that memory
// doesn't grow with the backlog or with an outage. It is first come, first
// served among the shards, and safe for concurrent use.
type Budget struct {
	sem     *semaphore.Weighted
	size    int64
	waiting atomic.Int64
	gauge   prometheus.Gauge
}

// NewBudget allows size bytes.
func NewBudget(size int64, gauge prometheus.Gauge) *Budget {
	return &Budget{sem: semaphore.NewWeighted(size), size: size, gauge: gauge}
}

// eventOverhead is about what an open event costs beside its bytes: its
// goroutine's stack, its decoded form and its request.
const eventOverhead = 12 << 10

// decodedOverhead is how much of it is for the decoded form.
const decodedOverhead = 6 << 10

// Acquire waits for room for an event of n bytes and returns what it took. An
// event larger than the whole budget takes all of it.
func (b *Budget) Acquire(ctx context.Context, n int) (int64, error) {
	if cost, ok := b.TryAcquire(n); ok {
		return cost, nil
	}
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	cost := b.cost(n)
	if err := b.sem.Acquire(ctx, cost); err != nil {
		return 0, err
	}
	b.gauge.Add(float64(cost))
	return cost, nil
}

// TryAcquire is Acquire where there is room at once.
func (b *Budget) TryAcquire(n int) (cost int64, ok bool) {
	cost = b.cost(n)
	if ok = b.sem.TryAcquire(cost); ok {
		b.gauge.Add(float64(cost))
	}
	return cost, ok
}

func (b *Budget) cost(n int) int64 { return min(int64(n)+eventOverhead, b.size) }

// Release gives back what Acquire took.
func (b *Budget) Release(cost int64) {
	b.sem.Release(cost)
	b.gauge.Sub(float64(cost))
}

// Short reports whether somebody waits for room.
func (b *Budget) Short() bool { return b.waiting.Load() > 0 }
