// Package desk serves the pages that people look at messages with:
//
//	topics ── store, replays ─┐
//	       ── traces, preview ┼─ pages (a view) ─┬─ site ── HTML
//	/metrics ── fleet ────────┘                  └─ /api ── JSON
//	              changes ── /events (server-sent) ── the page asks for itself again
//
// guard stands before all of it, query is what an address asks, words are how numbers
// and times are said.
//
// A page is a function from a request to a view, which is shown in two ways. What
// comes from outside is text in each of them: html/template escapes it (package site), and what
// could drive a terminal or turn writing around is made visible in the whole answer
// (package terminal). Nothing here sends a message: a replay publishes an event again,
// and the worker decides.
package desk
