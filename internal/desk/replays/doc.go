// Package replays plans and carries out replays of dead letters in the
// background, by the same code as `dlq replay`: deadletter.Planner and Replayer.
//
//	Plan ─▶ planning ─▶ planned ─ Start ─▶ running ─▶ done
//	            │                            ├─ Stop ─▶ stopped
//	            └────────▶ failed ◀──────────┘
//
// What it knows of other desks' replays, of `dlq replay`'s and of its own from
// before a restart is in the record of replays. Two replays at once share no
// letter: the record says who was first.
package replays
