// Package intake turns a topic's partition into events, and follows which of
// them are done.
//
//	partition ── fetch ── due? ── match ──┬── nobody wants it ──▶ passed
//	                                      └── room? ── Event ──▶ Submit
//	                                                    │
//	   watermark: the offset before which all is done ◀─┴─ Event.Settled
//
// Invariants:
//   - Each record is passed, or submitted once; none is stepped over.
//   - The watermark never passes an event that isn't settled.
//   - The open events of a stream are bounded in number, those of all of a
//     destination's streams in bytes (Budget). Fetching pauses at either bound.
//   - A retry record says where its event came from (Origin), so that it is
//     known by the same key, and its dead letter names the source.
package intake
