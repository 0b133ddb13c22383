package intake

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Budget bounds the bytes of all open events of the process, so that memory
// doesn't grow with the backlog or with an outage. It is first come, first
// served among the shards, and safe for concurrent use.
type Budget struct {
	size  int64
	gauge prometheus.Gauge

	mu    sync.Mutex
	free  int64    // guarded by mu
	queue []*claim // who waits for room, in order; guarded by mu
}

// claim is what somebody asks of a Budget, one thing at a time.
type claim struct {
	cost    int64
	granted chan struct{} // of size one: said to who waits
}

// NewBudget allows size bytes.
func NewBudget(size int64, gauge prometheus.Gauge) *Budget {
	return &Budget{size: size, gauge: gauge, free: size}
}

// eventOverhead is about what an open event costs beside its bytes: its
// goroutine's stack, its decoded form and its request.
const eventOverhead = 12 << 10

// decodedOverhead is how much of it is for the decoded form.
const decodedOverhead = 6 << 10

// ask takes room for an event of n bytes, or has c wait for it, and reports whether
// it is there. An event larger than the whole budget takes all of it.
func (b *Budget) ask(c *claim, n int) (granted bool) {
	c.cost = min(int64(n)+eventOverhead, b.size)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) > 0 || c.cost > b.free {
		b.queue = append(b.queue, c)
		return false
	}
	b.take(c)
	return true
}

func (b *Budget) take(c *claim) {
	b.free -= c.cost
	b.gauge.Add(float64(c.cost))
}

// leave gives up what c waits for.
func (b *Budget) leave(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.queue, c); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
		b.give(0) // what waits behind may have room
		return
	}
	<-c.granted // at the same moment
	b.give(c.cost)
}

// Release gives back what an event took.
func (b *Budget) Release(cost int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.give(cost)
}

func (b *Budget) give(cost int64) {
	b.free += cost
	b.gauge.Sub(float64(cost))
	for len(b.queue) > 0 && b.queue[0].cost <= b.free {
		c := b.queue[0]
		b.queue = slices.Delete(b.queue, 0, 1)
		b.take(c)
		c.granted <- struct{}{}
	}
}

// Short reports whether somebody waits for room.
func (b *Budget) Short() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) > 0
}
