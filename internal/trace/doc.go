// Package trace tells what became of an event, a person or a number, in order,
// out of the topics alone:
//
//	source ── event ─┬─ trigger            by the configuration at hand
//	                 ├─ ledger             attempts, SIDs, skips of replays
//	                 ├─ retry topics       what waits, or did
//	                 ├─ status             what Twilio said later
//	                 └─ dead letters ─ record of replays
//
// It reads and writes nothing down. The source is looked through by its bytes, and
// only what may be meant is decoded.
package trace
