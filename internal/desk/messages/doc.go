// Package messages keeps what the status topics say of messages, 30 bytes each, and
// counts them: by action, by when Twilio accepted them, and by what became of them last.
//
//	status topic ── Parse ─▶ Take ─┬─ a packed entry for each message, by its delivery
//	                               └─ counts by the minute (a day) and by the hour (a week)
//	                                     └─▶ Funnels, Points, Segments
//
// A status replaces the earlier one of its key: a message counts once. Memory is
// bounded: beyond it the oldest hours are forgotten. Who uses Messages lets nobody else
// at them meanwhile, but for Parse.
package messages
