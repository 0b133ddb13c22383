// Package follow reads the desk's topics, and then what comes, and hands it on:
//
//	ledgers, status topics, record of replays ─ where they end ─┐
//	dead letters ──────────────────────────────── where they end ┴─▶ a round:
//	     Gone, Begin, Letter..., LettersEnd, Told..., End
//
// First it asks where the tellers end, then where the dead letters do; then it reads up
// to there, the dead letters first. So nothing is heard of a letter before the letter
// itself, though the topics are on different brokers. The first round is the loading,
// and the others are the following.
//
// What was handed on isn't handed on again, also where a round fails half way: the next
// one goes on from there. While Kafka is away, Progress says so.
package follow
