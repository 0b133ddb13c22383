// Package records reads Kafka's partitions, in one way for events, ledgers,
// retries and dead letters alike. It speaks the fetch protocol over kafka-go's
// connections and walks through the bytes of record batches itself: that takes
// no allocation a record, tells null from empty, and knows a transaction's
// marker from a record and a damaged batch from a whole one.
//
//	Cluster ─ broker 1 ─┬─ one fetch or two for what has something ───────────┐   answers, one
//	        │           └─ a few long polls for those at their end ───────────┤   a partition
//	        └ broker 2 ─ ...                                                  ▼
//	                   Log.Next ◀─ a block of Records ◀─ batches, decompressed a piece at a time
//
// What holds:
//   - Only what is committed is read: records of aborted transactions are left
//     out, and what comes after an open one isn't there yet. Log.End is the last
//     stable offset.
//   - A partition is asked for only while somebody waits in Next for it. So one
//     that is slow keeps no other up, and each has at most one answer in memory.
//     All answers together are bounded (heldBytes); a Log whose reader waits for
//     something else gives its answer up with SeekTo.
//   - Sockets and requests grow with the brokers and not with the partitions: of
//     each broker at most maxFetches fetches and maxPolls long polls are under way.
//   - The fetch goes to the partitions in the order in which they began to wait;
//     what an answer had no room for stays at the front.
//   - A broker that asks for a pause (KIP-219) gets it. That is no error.
//   - What goes wrong with a partition is told to its Log alone. A lost connection
//     is tried again once; then each Log that waited at the broker is told.
package records
