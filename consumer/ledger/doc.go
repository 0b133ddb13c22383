// Package ledger remembers, in a compacted Kafka topic, what was about to be
// sent and what came of it, so that nobody is texted twice.
//
// A shard's part of the ledger is one partition, written only by the shard's
// owner:
//
//	intent ── request ─┬─ sent      Twilio took it; final
//	                   ├─ refused   it surely wasn't sent; may be tried again
//	                   └─ (nothing) ambiguous: Twilio's message list must tell
//	dead letter acked ──── dead      its dead letter is written; a replay, from
//	                                 another position, may still be sent
//
// Invariants:
//   - Append returns nil only when all in-sync replicas have the record.
//   - Sent never turns back into anything else.
//   - While an intent is open, what an older generation says of its delivery
//     doesn't count, but that it was sent: its writer had lost the shard.
//   - An owner that finds a record it didn't write in its part (a write of its
//     predecessor that was still on its way, or its own written twice) reads
//     it, and writes again what compaction would otherwise lose.
package ledger
