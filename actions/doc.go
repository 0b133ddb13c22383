// Package actions decides what becomes of an event under a destination's
// actions, and performs one attempt at sending what it decided.
//
//	Destination.Match     raw bytes -> which actions want the event (no decoding)
//	Destination.Prepare   event + action -> Delivery: send, skip or fail (pure but for its look-ups)
//	Destination.Send      Delivery -> Result: one request, one attempt
//	Destination.Find      Delivery -> what Twilio's message list says of an earlier attempt
//
// It behaves as the hosted Twilio Engage Messaging destination does.
// Retrying, ordering, rates and the ledger are not its business.
package actions
