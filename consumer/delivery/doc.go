// Package delivery takes one event under one action all the way:
//
//	             ┌──────────────────────────────────────────────────────────┐
//	             │                                                          │
//	ledger: sent before? ── prepare ── in doubt? reconcile ──┬── attempt ───┤ onward
//	             │             │              │              │              │
//	             │             │              │      gate · lease · intent · lease · request
//	             ▼             ▼              ▼                             │
//	          settled     skip, dead letter   sent                          ▼ outcome
//	                                            sent · refused · throttled · failed · ambiguous
//	                                              │       │           │        │        │
//	                                            ledger  dead       (in place, then)  reconcile
//	                                                    letter      retry topic
//
//	Courier   makes the deliveries of one shard in one generation
//	delivery  one of them, on its way; each part of it ends with a step
//	Peers     what the deliveries of all shards of a generation know of each other
//	Flights   the requests of this process that are on their way
//
// Invariants:
//   - A delivery is settled only when Twilio took its message and the ledger
//     says so, when the retry or the dead-letter topic has acknowledged it, or
//     when there is nothing to send.
//   - A request leaves only under the lease, which is asked right before, and
//     only after its intent is in the ledger. An intent without an outcome is
//     reconciled before anything else is done with its delivery.
//   - The silence of Twilio's list counts only once nothing that left can still
//     come up in it.
//   - Two deliveries never take the same message for theirs.
//   - One goroutine has a delivery. Whatever waits to begin something waits on
//     Intake; what has begun goes on under Work.
package delivery
