// Package ratelimit is the gate that every message to a region passes: the
// region's rate, the rates of senders, the requests in flight and a circuit
// breaker; and the doors that close for an account or a sender that Twilio
// refuses.
//
//	Acquire ─ breaker ─┬─ its sender's line ─ slots ─┬─ turn ─ in flight ─ pause ─ slot ─ pace ─ probe ─▶ Permit
//	                   └─ the region's line ─────────┘
//	Start   ─ the request leaves: its slots rest from now
//	Done    ─ breaker counts ─ in flight freed ─ throttled: fewer in flight, pause ─▶ the lines move on
//
//	line      who waits for a rate, in flows that take turns
//	slots     what a replica holds of a rate: ready, resting, or taken by permits
//	book      whose they are: our own, lent to others, borrowed from others
//	Exchange  carries what the books of all replicas tell each other
//	Doors     accounts and senders that are refused
//
// # The rate is the fleet's
//
// A region's rate R holds for all replicas together, in every second. It is
// cut into n slots, n being R rounded up. A slot may be used once in a span S of
// W·n/R, W being 1.02 s: for a whole R that is W, for less than one message per
// second, one slot in 1.02/R seconds. The 20 ms above the second absorb what the
// network does to the spacing on the way to the vendor.
//
// Two rules are all that it takes:
//
//  1. A slot has one holder at a time.
//  2. A holder starts a request on a slot only when S has passed since the last
//     start on it, whoever made that.
//
// Then every slot has at most one start in any time shorter than S, and the
// fleet at most n. For a whole R these are R starts in any second, both ends of it
// included.
//
// Rule 2 within a replica: a slot rests for S once its request starts, and a
// permit keeps a slot from when it is given until its request starts or it is
// given back. Between replicas: who parts with slots says after what time all
// of them may be used, and who receives them counts that time from when it reads
// so. No clocks are compared, and the time on the way only adds to it. Where nobody
// can say when a slot was used last, it rests for S from when it is gained.
//
// Rule 1 has three cases.
//
// Ownership. Slots belong to the shards of the destinations that use the rate
// (Part), and a shard has one owner under its lease. A replica's parts end with
// the lease by themselves, so that a process that was frozen has lost them when it
// wakes up. What is lost while permits have taken it is owed: as many permits
// must not start.
//
// Lending. An owner takes slots out of what it holds before it writes the grant
// that lends them, and takes them back LoanTerm after it answered the ask, or
// when it reads that they are returned. The borrower may use them until LoanTerm
// after it began to write that ask; it takes them out before it writes that it
// returns them. The ask was written before it was answered, so that the borrower
// is done before the lender begins, however long anything was on its way. A loan is
// made longer in the same way, by an answer to a later ask. A note that is
// lost, late or written twice makes slots idle for a while, never shared: grants
// count once, a grant to an old ask is void, and what is returned of a loan that
// is over isn't counted.
//
// Change of owner while slots are lent. A former owner's loan answers an ask that
// was in the log before that owner lost the shard, and ends LoanTerm after it
// was written. So the new owner uses what it gained once LoanTerm has passed since
// the last ask that is in the log when it gains the shard; if it can't read the log
// to its end in time, once LoanTerm has passed since it gained the shard; and in
// both cases S later. Slots of a rate are alike, so that a replica whose shards are
// exchanged for as many others goes on without a pause: what was gained and lost
// is a difference of numbers, and only what adds to a number must wait.
//
// Without the log (Kafka is away) nobody asks or grants: loans run out, and each
// replica has its own slots for as long as it has its lease.
//
// # Senders
//
// A sender's rate is slots of its own, with the same two rules, owners and
// lending; a message passes when it has slots of both rates, and uses them at the
// same moment. A message of c uses takes c of the sender's n slots, each once,
// so that for c up to n the bound above is one of uses. One that takes fewer
// slots uses some several times at once, and each of them then rests for a
// span for each of its uses: no slot comes to more uses than spans over time, and
// still none is started twice within one. Only the uses that are at
// the same moment may be more than n. That happens when c is above n, when nothing
// else can be done, and when the replica holds less than c slots and had none
// lent for LoanTerm. A replica that dies right after such a message
// takes the knowledge of its slots' longer rest with it.
//
// # Turns
//
// Who waits for a sender waits in its line; the first one there, once the
// sender has slots for it, comes up for the region's turn. So a sender without
// slots holds nobody else up, and a message of many segments isn't
// passed for ever by those of few. In each line, the region's and the senders',
// flows take turns by what they had of that rate (start-time fair queueing,
// Goyal, Vin and Cheng, 1996): who had least is next, and who had nothing for a while
// starts level with the others. Transactional flows come before marketing,
// which has one turn in ten while both wait.
//
// # Who has how much
//
// The whole rate is divided by need: who needs little has it all, the others
// have equal parts (level). Every replica that lacks slots or borrows some says
// how many it has and could use, up to four times a second; owners lend what is above
// their own part to those who are below theirs, and borrowers return what is above
// theirs while others lack some. Where that comes to less than a slot for some,
// they take turns of two seconds.
//
// Requests in flight are limited per replica, not per fleet.
//
// # Who runs what
//
// A Gate has no goroutine of its own. The state is guarded by one mutex; a
// timer wakes the lines when the next one's time comes, and a permit, an error or
// nothing else ends a wait. Thousands of waiters cost one timer. Slots and books
// are pure: they are told the time.
package ratelimit
