// Package store holds what the topics say of dead letters and messages, in
// bounded memory, and follows them as they grow.
//
//	dead letters ──┐  a row each, sorted by the time of the failure
//	replays ───────┼─▶ Store ─▶ Groups, Histogram, Letters, Letter, Export
//	ledgers ───────┤  deadletter.States says what became of each row
//	status topics ─┘  an entry for each message ─▶ Funnel, Messages
//
// It reads in rounds: first it asks where the ledgers, the status topics and
// the record of replays end, then where the dead letters do; then it reads up
// to there, the dead letters first. So nothing is heard of a letter before the
// letter itself, though the topics are on different brokers. The first round
// is the loading, and the others are the following.
//
// What holds:
//   - Texts aren't kept: the rows of a page are read again from the topic, by
//     their positions.
//   - Memory is bounded by Limits, whatever the topics hold. Letters beyond the
//     bound are forgotten, the oldest first, and counted; so are messages.
//   - What retention deleted in a topic goes here, too, with the next round that
//     sees it.
//   - A status replaces the earlier one of its key: a message counts once.
//   - While Kafka is away the store keeps what it has, and Progress says so.
//   - A filter means here what deadletter.Filter.Match means.
package store
