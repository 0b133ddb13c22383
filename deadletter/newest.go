package deadletter

import (
	"cmp"
	"container/heap"
	"slices"
)

// Newest keeps the n youngest of the dead letters that it is given, without
// their events, so that its memory is bounded by n. It is not safe for
// concurrent use.
type Newest struct {
	n     int
	seen  int
	older oldestFirst
}

// NewNewest keeps n.
func NewNewest(n int) *Newest { return &Newest{n: n} }

// Add offers r. It keeps a copy, if anything.
func (k *Newest) Add(r *Record) {
	k.seen++
	if len(k.older) == k.n && (k.n == 0 || younger(r, k.older[0]) >= 0) {
		return
	}
	c := *r
	c.Key, c.Value, c.Headers = nil, nil, nil
	if len(k.older) < k.n {
		heap.Push(&k.older, &c)
		return
	}
	k.older[0] = &c
	heap.Fix(&k.older, 0)
}

// Seen is how many were offered.
func (k *Newest) Seen() int { return k.seen }

// Records are those kept, newest first.
func (k *Newest) Records() []*Record { return slices.SortedFunc(slices.Values(k.older), younger) }

// younger orders by time of failure, newest first; the position only makes
// the order the same each time.
func younger(a, b *Record) int {
	return cmp.Or(
		b.FailedAt().Compare(a.FailedAt()),
		cmp.Compare(a.Position.Partition, b.Position.Partition),
		cmp.Compare(b.Position.Offset, a.Position.Offset),
	)
}

// oldestFirst is a heap with the oldest on top.
type oldestFirst []*Record

func (h oldestFirst) Len() int           { return len(h) }
func (h oldestFirst) Less(i, j int) bool { return younger(h[i], h[j]) > 0 }
func (h oldestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *oldestFirst) Push(x any)        { *h = append(*h, x.(*Record)) }
func (h *oldestFirst) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
