// Package twiliosim is a simulated Twilio: the parts of its REST API that a
// messaging worker meets, with faults that can be switched on and off while
// it runs, and a record of everything it accepted.
//
//	POST /2010-04-01/Accounts/{account}/Messages.json        create a message
//	GET  /2010-04-01/Accounts/{account}/Messages.json        list, newest first: To, From, DateSent, paging
//	GET  /2010-04-01/Accounts/{account}/Messages/{sid}.json  fetch one
//	GET  /v1/Content/{sid}                                   a content template
//	GET  /v1/spaces/{space}/collections/users/profiles/user_id:{id}/traits
//
// A [Sim] is an [http.Handler]. Serve it with httptest, or with [Sim.Listen],
// whose listeners can also refuse connections. Several listeners share one
// Sim, as the regions of a vendor share their customers.
//
// # What a create request goes through
//
//	read · credentials · outage · storm · rate ─ validation ─ draw a fault ─ ACCEPT ─ latency ─ answer
//	                                                             └ refused, reset, ... (not accepted)
//
// Accepting is one step under a lock: the message is recorded, counted and
// shown by [Sim.Messages] before the answer, or the fault in its place, is
// chosen to go out. So the record is the truth about who would have been
// texted, whatever the client saw.
//
// # Faults
//
// [Faults] holds the [Behaviour] of everything, and [Scope]s that behave
// differently: the first scope whose selectors all match replaces the default
// as a whole. A scope selects by account SID, by prefixes of the sender (a
// number, or the MG... SID of a messaging service) and by host, so one region
// can fail while another goes on. Which request meets which fault is drawn
// from Faults.Seed and the request's number since SetFaults.
//
// # What becomes of messages
//
//	accepted or queued ─ sent ─┬─ delivered ─ read (WhatsApp)
//	          └─ failed        └─ undelivered
//
// [Course] says how many messages end how, with which codes, and when; each is
// drawn from Course.Seed and the message's number as it is accepted. Lists and
// fetches show the status of the moment. Each change is posted to the message's
// StatusCallback, if that is a loopback address or a host that Options name, signed with
// Options.AuthToken,
// and tried again as the connection overrides in its fragment (#ct= rt= tt= rc=
// rp=) say. Callbacks can get lost, doubled, delayed and out of order.
// [Sim.Receive] adds messages from persons to the list.
//
// # Over HTTP
//
// Handler and listeners also serve the simulator's own API; its documents are
// those of the Go API, with durations as text ("250ms"):
//
//	GET  /_sim/messages[?since=SEQ]  what was accepted, as JSON Lines
//	GET  /_sim/stats                 counters
//	GET  /_sim/seconds               requests and messages by second, account and sender
//	GET  /_sim/faults                the faults at present
//	PUT  /_sim/faults                replaces them
//	GET  /_sim/course                what becomes of messages at present
//	PUT  /_sim/course                replaces it
//	POST /_sim/inbound               a message from a person: account, from, to, body
//	PUT  /_sim/templates/{sid}       adds a content template
//	PUT  /_sim/profiles/{id}         sets a user's traits
//	POST /_sim/reset                 forgets messages and counters
//	GET  /_sim/healthz
//
// Paths under /_sim/ meet no faults and need no credentials: this is a
// simulator, for tests and for demonstrations on one's own machine.
//
// # Where the facts are from
//
// Documents, codes and filters follow Twilio's Message resource and error
// dictionary as documented, the magic numbers those of its test credentials.
// Where a detail isn't documented the choice is said at the code.
package twiliosim
