// Package status follows every message that Twilio has accepted to its end.
//
//	delivery ── Accepted ─┐                                     ┌─▶ status topic ─▶ who asks
//	callbacks topic ──────┼─▶ Follower (one a shard) ── forward? ┤   (compacted, its key the ledger's)
//	Sweep ── Twilio ──────┘        │ index      │                └─ failed: dead letter first
//	                          status topic  source topic
//	                          (the record)  (the event)
//
//	Follower  a shard's part of the status topic, written only by the shard's owner
//	index     what is pending, 24 bytes each: a key's hash, the SID's tag, where its
//	          record is in the topic, its status, when Twilio is asked next
//	Sweep     asks Twilio, by SID or by pages of its list, for all shards of a
//	          destination that a replica owns
//	Record    what is known of a message, as the topic holds it
//
// The topic is the memory: what a message is about is in its record alone, and
// read back from there when there is news of it. So a pending message costs
// what the index holds of it, however long it is pending.
//
// # Invariants
//
// A message that the ledger calls sent has a record in the status topic: Accepted
// returns once all in-sync replicas have it, and the delivery writes the ledger's
// entry behind that. A crash in between leaves an intent, which the next owner
// reconciles, and so it comes here again. Nothing is followed for the ledger's
// sake, and no part of the ledger need be read for it.
//
// States only go forward. All news is merged by the larger of two states:
//
//	accepted < sent < unknown < delivered < read < undelivered < failed < canceled
//
// which is the same in whatever order it comes, and however often. An end that is
// a failure stays. What has ended is kept in the index for a while (grace), so
// that late news of it is told from news of something else. Of two messages
// under one key (a letter that was replayed) the one that was accepted later counts,
// and news of the other counts for nothing.
//
// A failure's dead letter is acknowledged before the record that says so is
// written. A crash in between writes the letter again, with the same id, by which
// readers fold. It holds the event as it is read back from its place in the source;
// where the source doesn't have it any more, its value is null, which no other
// letter of the kind has.
//
// A record is written under the shard's lease like all else of the shard, but
// doesn't rest on it. What a former owner writes late is either what the new one
// would write, or lies behind it. The owner notices offsets that aren't its own,
// reads what is there, and follows on from it: a message whose last record says less
// than it should is pending again, Twilio is asked, and the end is written again.
//
// What is before the oldest pending record needn't be read again: its offset is
// committed in the group (Position). A pending record that holds many others up is
// written again at the topic's end (carryBehind), unchanged.
//
// # Bounds
//
// The index of a process holds maxPending messages. What is accepted beyond that
// waits in the topic, and is read in from there once there is room. Twilio is
// asked only where nothing else waits at the region's gate, within the fleet's
// status.rate, and each message ever more seldom.
package status
