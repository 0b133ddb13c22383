// Package pages is what the desk's pages show and do: of each a function from a request
// to a Page, whose view a template shows and /api gives as JSON.
//
//	request ─ query ─┬─ store ── Overview, List, Letter, Reveal, Export
//	                 ├─ replays ─ ReplayList, Replay; Plan, Start, Stop, Dismiss
//	                 ├─ fleet ── Overview
//	                 └─ traces, preview ── Trace, Try
//	                      └─▶ Page, or an error, which Fault puts into words
//
// Views are made for whom may see them: numbers and mail are masked in them unless the
// desk was told otherwise, and an event's content is shown only by Reveal and Tried,
// which log who looked. Nothing here writes to a topic but Start and Dismiss.
package pages
