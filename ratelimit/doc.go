// Package ratelimit is the gate that every message to a region passes: the
// region's rate, the requests in flight and a circuit breaker.
//
//	Acquire ─ breaker ─ queue (first in, first out) ─ in flight ─ pause ─ window ─ pace ─ probe ─▶ Permit
//	Start   ─ the request leaves: the window counts it from now
//	Done    ─ breaker counts ─ in flight freed ─ throttled: fewer in flight, pause ─▶ the queue moves on
//
// # The rate is the fleet's
//
// A region's rate R holds for all replicas together, in every second. Each
// replica is told its share f of the fleet (SetShare) and lets at most
// floor(R·f) requests start in any window W of 1.02 s; the 20 ms above the second
// absorb what the network does to the spacing on the way to the vendor. A permit
// whose request hasn't started yet takes its place in the window all the while. What
// a share adds becomes usable only after it has been held for W, because its
// former owner may just have used it; what a share loses is gone at once. In
// other words, the share in force is the least that was held during the last W.
//
// That is enough: let s be the start of any second, and let replica i start its
// last request of that second at u(i). Then it started at most R times its share at
// any moment of [u(i)-W, u(i)], and s is such a moment for every i. So as long
// as the replicas' shares never add up to more than one — a replica gives up
// its share before another takes it — the fleet starts at most R in the second.
//
// Rounding down costs each replica less than one message per second; where
// that matters, SetParts says which part of the fleet a replica has, and the
// parts of all replicas then add up to the whole messages of the rate. A share
// worth less than one message per second gives one permit in 1.02/(R·f)
// seconds; only then, with more replicas than messages per second, the
// fleet's bound holds over that longer time instead of over each second.
//
// Requests in flight are limited per replica, not per fleet.
//
// # Who runs what
//
// A Gate has no goroutine of its own. The state is guarded by one mutex; a
// timer wakes the queue's head when its time comes, and a permit, an error or
// nothing else ends a wait. Thousands of waiters cost one timer.
package ratelimit
