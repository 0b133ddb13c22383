// Package consumer turns a consumer group's records into deliveries, and
// commits an offset only when all that comes of its event is done.
//
//	Group       one destination's consumer group; joins, generation after generation
//	generation  the shards assigned in it, the lease, the commits
//	shard       a partition number: its ledger, its streams, its keys' order
//	stream      one topic's partition of the shard: the source, or a retry tier
//	delivery    one event under one action, all the way to its settlement
//
//	stream ── match ──┬── nobody wants it ─────────────────────────▶ watermark
//	  (fetch, due)    └── event ─▶ its key's chain ─▶ deliver ──────▶ watermark
//	                                                    │
//	   prepare · ledger: sent? · gate · lease · intent · send · outcome · settle
//
// What carries the guarantees:
//   - An event's offset is done when each of its deliveries is settled: sent,
//     skipped, or acknowledged by the retry or the dead-letter topic.
//   - A request leaves only under the lease, and only after its intent is in
//     the ledger. An intent without an outcome is reconciled before anything else.
//   - Whatever waits, waits on intake: it ends with the generation or at
//     shutdown, and what wasn't settled is simply not done. What has begun to
//     leave goes on under work, until the drain's limit.
//   - The span of open events per stream, and the bytes of all open events in
//     the process, are bounded; fetching pauses at either bound.
package consumer
