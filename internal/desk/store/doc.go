// Package store keeps what the topics say of dead letters and messages, in bounded
// memory, and answers what the desk asks of them:
//
//	follow ─┬─ dead letters ─▶ a row each, sorted by the time of the failure ─┐
//	        ├─ ledgers ──────▶ deadletter.States: what became of each row     ├─▶ Groups, Histogram, Letters,
//	        ├─ replays ──────▶ audits: whose replay it was                    │   Letter, Export, Series, Replayed
//	        └─ status topics ▶ messages: an entry for each ─▶ Funnel, Messages┘
//	                 reread, search ─▶ the texts of rows, and what is in them
//
// What holds:
//   - Texts aren't kept: the rows of a page are read again from the topic, by
//     their positions.
//   - Memory is bounded by Limits, whatever the topics hold. Letters beyond the
//     bound are forgotten, the oldest first, and counted; so are messages.
//   - What retention deleted in a topic goes here, too, with the next round that
//     sees it.
//   - While Kafka is away the store keeps what it has, and Progress says so.
//   - A filter means here what deadletter.Filter.Match means.
//
// One lock guards all of it, and is taken before that of the searches.
package store
