package ratelimit

import "time"

// window remembers when permits were given during the last while, oldest
// first, as times since an epoch of the user's. Its memory follows the permits
// given, not the configured rate.
type window struct {
	times []time.Duration // a ring; its length is a power of two or zero
	head  int             // index of the oldest
	n     int             // how many are in use
}

// forget drops the permits that were given at or before t.
func (w *window) forget(t time.Duration) {
	for w.n > 0 && w.times[w.head] <= t {
		w.head = (w.head + 1) & (len(w.times) - 1)
		w.n--
	}
}

// add remembers a permit given at t, which is not before any other.
func (w *window) add(t time.Duration) {
	if w.n == len(w.times) {
		grown := make([]time.Duration, max(16, 2*w.n))
		copied := copy(grown, w.times[w.head:])
		copy(grown[copied:], w.times[:w.head])
		w.times, w.head = grown, 0
	}
	w.times[(w.head+w.n)&(len(w.times)-1)] = t
	w.n++
}

// last returns when the k-th last permit was given, for 1 <= k <= n.
func (w *window) last(k int) time.Duration {
	return w.times[(w.head+w.n-k)&(len(w.times)-1)]
}
