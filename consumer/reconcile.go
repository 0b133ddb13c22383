package consumer

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
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
	d.doubts.move(d.plan.Message, 0, 1)
	defer d.doubts.move(d.plan.Message, 0, -1)
	failed := 0
	for look := time.Now().Add(firstLook); ; look = time.Now().Add(firstLook) {
		if !sleep(d.intake, min(time.Until(look), max(0, time.Until(listSettled)))) {
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
		d.heldSince = time.Time{}
		asked := time.Now()
		ctx, cancel := d.lease.under(d.work, d.RequestTimeout)
		permit.Start()
		found, err := d.destination.Find(ctx, d.plan.Message, intentAt.Add(-clockMargin))
		cancel()
		permit.Done(listVerdict(err, d.work.Err() != nil))
		if err != nil {
			if d.work.Err() != nil || d.intake.Err() != nil {
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
// other record claims. The body decides only between candidates, and between
// deliveries in doubt. A chosen SID is this delivery's until release.
func (d *delivery) choose(found []twilio.Candidate) (c choice, sid string, release func()) {
	var open []twilio.Candidate
	for _, m := range found {
		if !d.claimed(m.SID) {
			open = append(open, m)
		}
	}
	if len(open) == 0 {
		return notThere, "", nil
	}
	others := d.doubts.others(d.plan.Message)
	if others.flying > 0 {
		return notYet, "", nil
	}
	slices.SortStableFunc(open, func(a, b twilio.Candidate) int { return likeness(b, d.plan.Message) - likeness(a, d.plan.Message) })
	if likeness(open[0], d.plan.Message) == 0 && len(open) <= others.doubtful {
		return cantTell, "", nil
	}
	for _, m := range open {
		if d.doubts.claim(m.SID) {
			return itsOwn, m.SID, func() { d.doubts.unclaim(m.SID) }
		}
	}
	return notYet, "", nil
}

// likeness is 1 when the listed body is what was sent, as far as that shows.
func likeness(c twilio.Candidate, m *twilio.Message) int {
	if m.Body != "" && essence(c.Body) == essence(m.Body) {
		return 1
	}
	return 0
}

// essence is what remains of a body: Twilio shortens links and re-encodes
// characters, so only letters and digits count, and what looks like a link doesn't.
func essence(s string) string {
	var b strings.Builder
	for _, word := range strings.Fields(s) {
		if strings.Contains(word, "://") || strings.Contains(word, ".") && strings.Contains(word, "/") {
			continue
		}
		for _, r := range word {
			if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
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

// doubts knows the deliveries of this process whose request has left and whose
// SID isn't in the ledger yet, by recipient and sender. It is safe for
// concurrent use.
type doubts struct {
	mu   sync.Mutex
	at   map[string]*presence
	sids map[string]bool // chosen, and about to be claimed in the ledger
}

// presence counts the deliveries to one recipient from one sender.
type presence struct{ flying, doubtful int }

func newDoubts() *doubts { return &doubts{at: map[string]*presence{}, sids: map[string]bool{}} }

func doubtKey(m *twilio.Message) string { return m.To + "\x00" + m.From }

// move counts a delivery to m's recipient in or out.
func (x *doubts) move(m *twilio.Message, flying, doubtful int) {
	k := doubtKey(m)
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.at[k]
	if p == nil {
		p = &presence{}
		x.at[k] = p
	}
	p.flying += flying
	p.doubtful += doubtful
	if *p == (presence{}) {
		delete(x.at, k)
	}
}

// others are those to m's recipient, but for the asking doubtful one.
func (x *doubts) others(m *twilio.Message) presence {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.at[doubtKey(m)]
	if p == nil {
		return presence{}
	}
	return presence{p.flying, max(0, p.doubtful-1)}
}

func (x *doubts) claim(sid string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sids[sid] {
		return false
	}
	x.sids[sid] = true
	return true
}

func (x *doubts) unclaim(sid string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.sids, sid)
}
