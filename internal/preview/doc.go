// Package preview tells what each action of a configuration would do with an
// event, and with which request: what `engage-worker preview`, `dlq show` and the
// desk show.
//
//	event ── trigger ── mapping ── sendability ── render ── Line
//
// It looks profiles and content templates up, and never sends.
package preview
