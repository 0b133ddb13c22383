package consumer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/ratelimit"
)

const (
	// settlingDelay is how long after an ambiguous request Twilio's list is
	// believed when it doesn't show the message: the list lags behind.
	settlingDelay = 6 * time.Second

	// firstLook is when the list is first asked; most messages show at once.
	firstLook = 1500 * time.Millisecond

	// clockMargin is what Twilio's clock and ours may differ. Two replicas'
	// clocks are never compared: an intent's time only bounds what to list.
	clockMargin = time.Minute

	// listTries is how often in a row the list may fail before the delivery
	// goes to the next retry tier, still in doubt.
	listTries = 3
)

// reconcile finds out from Twilio's message list whether the delivery's last
// request was sent. The list's silence counts only after settled. It returns
// settled when it was sent (or its fate is decided otherwise), again when it
// surely wasn't.
func (d *delivery) reconcile(intentAt, listSettled time.Time) step {
	select {
	case <-d.restored: // what other shards claim, and have in doubt
	case <-d.intake.Done():
		return given
	}
	failed := 0
	// The first look is early; where the list's silence counts already, at once.
	for wait := min(firstLook, time.Until(listSettled)); ; wait = nextLook(listSettled) {
		if !sleep(d.intake, wait) || !d.awaitLease() {
			return given
		}
		permit, err := d.gate.Acquire(d.intake)
		if err != nil {
			// Under an open breaker the list isn't asked either.
			if s := d.hold(err); s != again {
				return s
			}
			continue
		}
		asked := time.Now()
		ctx, cancel := d.lease.under(d.work, d.RequestTimeout)
		permit.Start()
		found, err := d.destination.Find(ctx, d.plan.Message, intentAt.Add(-clockMargin))
		// Given up with the lease or with work, which is nobody's fault.
		ours := err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded)
		cancel()
		permit.Done(listVerdict(err, ours))
		if ours {
			if d.work.Err() != nil {
				return given
			}
			continue // once there is a lease again
		}
		if err != nil {
			if d.intake.Err() != nil {
				return given
			}
			var list *twilio.LookupError
			if errors.As(err, &list) && !list.Retryable {
				return d.unknown("list_refused", err)
			}
			if failed++; failed >= listTries {
				d.reconciled("list_failed")
				f := failure{reason: outcome.ReasonOutcomeUnknown, disposition: deadletter.Ambiguous, message: "Twilio's message list can't be had: " + err.Error()}
				d.logFailure(f)
				if d.ev.origin.tier >= len(d.Topics.Retry) {
					return d.unknown("list_failed", err)
				}
				return d.nextTier(f)
			}
			continue
		}
		failed = 0
		choice, sid, release := d.choose(found)
		switch {
		case choice == itsOwn:
			d.reconciled("sent")
			defer release()
			return d.sent(sid)
		case choice == notYet, asked.Before(listSettled):
			continue
		case choice == cantTell:
			return d.unknown("undecidable", errors.New("several deliveries to this recipient are in doubt, and Twilio's list can't tell them apart"))
		default:
			d.reconciled("not_sent")
			d.doubt = false
			return again
		}
	}
}

// nextLook is when to ask the list again: as soon as its silence counts, but
// never without a pause.
func nextLook(listSettled time.Time) time.Duration {
	if left := time.Until(listSettled); left > 0 {
		return min(firstLook, left)
	}
	return firstLook
}

// unknown is for what Twilio can't tell: the configuration decides.
func (d *delivery) unknown(why string, err error) step {
	d.reconciled(why)
	f := failure{reason: outcome.ReasonOutcomeUnknown, disposition: deadletter.Ambiguous, message: err.Error()}
	d.logFailure(f)
	if d.ResendUnknown {
		d.doubt = false
		return again
	}
	return d.bury(f)
}

func (d *delivery) reconciled(result string) {
	d.metrics.Reconciliations.WithLabelValues(d.Destination, result).Inc()
}

// choice is what a list says of a delivery in doubt.
type choice uint8

const (
	notThere choice = iota + 1 // no message can be this delivery's
	itsOwn                     // the chosen one is
	cantTell                   // there are messages, and several deliveries they may be of
	notYet                     // another request to the recipient is on its way, and its SID isn't known
)

// choose picks the candidate that is this delivery's message: one that no
// other record claims. A chosen SID is this delivery's until release.
func (d *delivery) choose(found []twilio.Candidate) (c choice, sid string, release func()) {
	open := slices.DeleteFunc(found, func(m twilio.Candidate) bool { return d.claimed(m.SID) })
	if len(open) == 0 {
		return notThere, "", nil
	}
	if d.flights.to(d.plan.Message) {
		return notYet, "", nil
	}
	open, c = pick(d.plan.Message, open, d.rivals)
	for _, m := range open {
		if d.flights.claim(m.SID) {
			if !d.claimed(m.SID) { // nor meanwhile
				return itsOwn, m.SID, func() { d.flights.unclaim(m.SID) }
			}
			d.flights.unclaim(m.SID)
		}
		c = notYet
	}
	return c, "", nil
}

// rivals are the body tags of the other deliveries to m's recipient that are
// in doubt, wherever they are: in work, in a retry topic, or not read again
// yet since their shard came to us.
func (d *delivery) rivals(m *twilio.Message) (bodies []uint32) {
	recipient := tagsOf(m).Recipient
	for _, s := range d.shards {
		if s.ledger != nil {
			bodies = append(bodies, s.ledger.Doubtful(recipient, d.key)...)
		}
	}
	return bodies
}

// pick leaves of the candidates those that may be m, the likeliest first, or
// says why there is none. The body decides only between candidates, and
// between deliveries in doubt: a message whose body is a rival's is the
// rival's, even if m's text is part of it, and of the others there must be
// more than rivals without one. A message that has nothing in common with m is
// hardly m, whoever sent it, but nor is it certain that m isn't there.
func pick(m *twilio.Message, open []twilio.Candidate, rivals func(*twilio.Message) []uint32) ([]twilio.Candidate, choice) {
	sent := essence(m.Body)
	like := func(least float64) (like []twilio.Candidate) {
		for _, c := range open {
			if likeness(essence(c.Body), sent) >= least {
				like = append(like, c)
			}
		}
		return like
	}
	if same := like(theSame); len(same) > 0 {
		return same, itsOwn // of equal ones it doesn't matter which
	}
	others := rivals(m)
	open = slices.DeleteFunc(open, func(c twilio.Candidate) bool {
		i := slices.Index(others, bodyTag(c.Body))
		if i < 0 || others[i] == 0 {
			return false
		}
		others = slices.Delete(others, i, i+1)
		return true
	})
	if len(open) == 0 {
		return nil, notThere
	}
	if whole := like(theWhole); len(whole) > 0 {
		return whole, itsOwn
	}
	if plausible := like(leastLikeness); len(plausible) > len(others) {
		return plausible, itsOwn
	}
	return nil, cantTell
}

const (
	theSame  = 2.0
	theWhole = 1.0 // and something added: an opt-out notice, say
	// leastLikeness is what a listed body must have in common with what was
	// sent to be taken for it, once two texts are long enough to tell.
	leastLikeness = 0.25
	shortText     = 8 // letters and digits
)

// likeness compares a listed body's essence with that of what was sent:
// theSame, or theWhole of it; else the part of the pairs of letters that they
// share (Dice's coefficient, 0 to 1), and just leastLikeness when one of them is
// too short to tell.
func likeness(listed, sent string) float64 {
	switch {
	case sent != "" && listed == sent:
		return theSame
	case len(listed) < shortText || len(sent) < shortText:
		return leastLikeness
	case strings.Contains(listed, sent):
		return theWhole
	}
	pairs := map[string]int{}
	for i := range len(sent) - 1 {
		pairs[sent[i:i+2]]++
	}
	shared := 0
	for i := range len(listed) - 1 {
		if pair := listed[i : i+2]; pairs[pair] > 0 {
			pairs[pair]--
			shared++
		}
	}
	return 2 * float64(shared) / float64(len(sent)+len(listed)-2)
}

// listSettled is from when on the list's silence counts for an intent that
// this delivery finds in the ledger. A former owner's request doesn't outlive
// the assignment of its shard by more than a request's time, and the list may
// lag behind it. If the intent is our own, its request may have ended just now.
// The intent's time is another clock's perhaps, so that it only delays.
func (d *delivery) listSettled(intentAt time.Time) time.Time {
	now := time.Now()
	last := later(d.assignedAt, now.Add(min(intentAt.Sub(now), 0)))
	return last.Add(d.RequestTimeout + settlingDelay)
}

// tagsOf tells a message apart from others in the ledger.
func tagsOf(m *twilio.Message) ledger.Tags {
	return ledger.Tags{Recipient: tag(m.To + "\x00" + m.From), Body: bodyTag(m.Body)}
}

// bodyTag is equal for bodies that may be the same, 0 for those that can't be told.
func bodyTag(body string) uint32 {
	if text := essence(body); text != "" {
		return tag(text)
	}
	return 0
}

// tag is never 0, and the same in every process.
func tag(text string) uint32 {
	h := sha256.Sum256([]byte(text))
	return max(1, binary.BigEndian.Uint32(h[:]))
}

// essence is what remains of a body: Twilio shortens links and re-encodes
// characters, so only letters and digits count, of Latin ones only the plain,
// and what looks like a link doesn't.
func essence(s string) string {
	var b strings.Builder
	for _, word := range strings.Fields(s) {
		if strings.Contains(word, "://") || strings.Contains(word, ".") && strings.Contains(word, "/") {
			continue
		}
		for _, r := range word {
			if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) || r > unicode.MaxASCII && unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r) {
				b.WriteRune(unicode.ToLower(r))
			}
		}
	}
	return b.String()
}

// listVerdict is what the list's answer tells the gate.
func listVerdict(err error, stopped bool) ratelimit.Verdict {
	var list *twilio.LookupError
	switch {
	case err == nil:
		return ratelimit.Verdict{Kind: ratelimit.Delivered}
	case stopped || !errors.As(err, &list):
		return ratelimit.Verdict{Kind: ratelimit.Abandoned}
	case list.Status == 429:
		return ratelimit.Verdict{Kind: ratelimit.Throttled, RetryAfter: list.RetryAfter}
	case list.Retryable:
		return ratelimit.Verdict{Kind: ratelimit.VendorFault}
	default:
		return ratelimit.Verdict{Kind: ratelimit.Refused}
	}
}

// flights knows the deliveries of this process whose request has left and
// whose SID isn't in the ledger yet, by recipient and sender. It is safe for
// concurrent use.
type flights struct {
	mu   sync.Mutex
	at   map[string]int
	sids map[string]bool // chosen, and about to be claimed in the ledger
}

func newFlights() *flights { return &flights{at: map[string]int{}, sids: map[string]bool{}} }

func flightKey(m *twilio.Message) string { return m.To + "\x00" + m.From }

// move counts a request to m's recipient in or out.
func (x *flights) move(m *twilio.Message, by int) {
	k := flightKey(m)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at[k] += by
	if x.at[k] == 0 {
		delete(x.at, k)
	}
}

// to tells whether a request to m's recipient is on its way.
func (x *flights) to(m *twilio.Message) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.at[flightKey(m)] > 0
}

func (x *flights) claim(sid string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sids[sid] {
		return false
	}
	x.sids[sid] = true
	return true
}

func (x *flights) unclaim(sid string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.sids, sid)
}
