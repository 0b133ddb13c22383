// Package records reads a partition's log as the broker stores it: it asks
// for record batches over kafka-go's connections and walks through their
// bytes itself. Where every header of every record is looked at, that costs a
// fraction of what kafka-go's readers do, which allocate each header's name
// and value; and it tells null from empty, a transaction's marker from a
// record, and a damaged batch from a whole one.
//
//	Log.Next ── fetch (one answer) ── batches ── decompress, a piece at a time ──▶ a block of Records
//
// Memory is bounded by one answer and one block for each Log, whatever
// compression put into the answer.
package records
