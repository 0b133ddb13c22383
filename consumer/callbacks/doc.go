// Package callbacks is how Twilio reports by itself what becomes of messages.
//
//	delivery ── Keys.URL ─▶ StatusCallback of the message
//	Twilio ── POST ─▶ Receiver ── path signed? Twilio's signature? ─▶ callbacks topic, the shard's partition
//	                                                                       │
//	                              status.Follower.Apply ◀── Reader (the shard's owner)
//
// Invariants:
//   - A path says which destination, shard and delivery it is about, under an
//     HMAC: what nobody of ours has made is not found. Its segments hold only
//     [A-Za-z0-9_-], and no number that isn't part of a delivery's key.
//   - The Receiver keeps nothing. It answers 204 only once all in-sync replicas
//     have the callback, and 503 otherwise, so that Twilio tries again.
//   - The Reader's position is committed once what a callback changes is written.
//     What is read twice changes nothing the second time.
package callbacks
