// Package consumer is a member of one destination's consumer group. It owns
// shards, generation after generation, and commits an offset only when all
// that comes of its event is done.
//
//	Group       joins, generation after generation; keeps the shards' ledgers
//	generation  the shards assigned in it, their lease, the commits
//	shard       a partition number: its ledger, its streams, its keys' order
//
//	intake.Stream ── match ──┬── nobody wants it ──────────────────▶ watermark
//	    (fetch, due)         └── event ─▶ its key's chain ─▶ settle ─▶ watermark
//	                                       (shard)   (delivery.Courier)
//
// What it works with, each alone in its package:
//
//	intake    a topic's partition: records become events, and a watermark
//	          follows which of them are settled
//	delivery  one event under one action, all the way to its settlement
//	ledger    what was about to be sent, and what came of it
//	lease     the right to send
//
// What carries the guarantees here:
//   - The first commit of a generation takes the lease, each later one renews
//     it. No commit does once the group wants the shards back.
//   - Nothing is read for a shard before its ledger is.
//   - Whatever waits, waits on intake: it ends with the generation or at
//     shutdown, and what wasn't settled is simply not done. What has begun to
//     leave goes on under work, until the drain's limit.
package consumer
