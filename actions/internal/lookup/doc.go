// Package lookup is what the clients of the Profile API and of Twilio's
// Content and Messages resources share: a GET that is repeated where that may
// help, the kind of its failure, and a cache that merges concurrent look-ups.
//
//	Cache.Get ── hit ───────────────────────────────▶ answer
//	   └─ one flight a key ─ Getter.Get ─ rate ─ GET ─┬─ 2xx ─▶ answer, remembered
//	          ▲                                       ├─ may pass, attempts left ─ jittered pause ─┐
//	          └───────────────────────────────────────┼─────────────────────────────────────────────┘
//	                                                  └─ *Error: Status, Retryable, RetryAfter
package lookup
