package ratelimit

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

const (
	// refusalsToClose is how many different recipients in a row, none
	// accepted between, close a sender: some refusals of a sender depend on
	// the recipient as well.
	refusalsToClose = 5

	// A closed door lets one delivery probe after probeAfter, and after twice
	// as long each time, up to probeAtMost.
	probeAfter  = 5 * time.Second
	probeAtMost = time.Minute

	// An account of which nothing was heard for unheard lets no more than
	// cautious requests through until it answers, so that a burst after a
	// pause doesn't all go out with a key that was withdrawn meanwhile.
	unheard  = 10 * time.Second
	cautious = 8

	// maxSuspects bounds the senders of which the last answer was a refusal.
	// Events may name senders, so that their number has no other bound.
	maxSuspects = 1000
)

// Sender is who a message is from: a destination, which has one account and one
// key of it, and a number or messaging service of that account.
type Sender struct{ Destination, From string }

// Doors hold back what would be refused for a wrong setting and not for
// anything in an event: every message of an account whose key is refused,
// every message of a sender that isn't the account's. One delivery probes now
// and then; when it is accepted, all go on. Doors are the process's, and safe
// for concurrent use.
type Doors struct {
	metrics *metrics.Metrics
	log     zerolog.Logger
	seed    maphash.Seed

	mu       sync.Mutex
	accounts map[string]*account // by destination
	senders  map[Sender]*door    // those whose last answer was a refusal
}

// account is an account's door, and how many of its requests are under way.
type account struct {
	door
	heard time.Time     // when Twilio answered last, and didn't refuse the account
	under int           // requests
	moved chan struct{} // closed when those who wait should look again; nil while nobody waits
}

// door is open or closed. A closed one has a time for its next probe.
type door struct {
	closed  bool
	since   time.Time // when it closed
	cause   Refusal
	changes uint64 // what began before the last one doesn't count
	pause   time.Duration
	next    time.Time // of the next probe
	probing bool
	refused []uint64 // a sender's recipients refused in a row, hashed
}

// Refusal is what Twilio said.
type Refusal struct {
	Code    int    // Twilio's; 0 when it named none
	Message string // holds no secret, body or full number
}

// NewDoors makes Doors that are all open.
func NewDoors(m *metrics.Metrics, log zerolog.Logger) *Doors {
	return &Doors{metrics: m, log: log, seed: maphash.MakeSeed(), accounts: map[string]*account{}, senders: map[Sender]*door{}}
}

// ClosedError says that an account or a sender is closed.
type ClosedError struct {
	Sender Sender // From is empty when it is the account that is closed
	Cause  Refusal
	Since  time.Time
	// RetryAfter is how long the caller should hold before it asks again;
	// always positive.
	RetryAfter time.Duration
}

func (e *ClosedError) Error() string {
	what := "the account of destination " + e.Sender.Destination
	if e.Sender.From != "" {
		what = "the sender " + e.Sender.From + " of destination " + e.Sender.Destination
	}
	return fmt.Sprintf("%s is closed since Twilio refused it: %s", what, e.Cause.Message)
}

// Pass lets one request pass both doors. Its holder must call Done.
type Pass struct {
	doors   *Doors
	sender  Sender
	account *account

	// The doors' changes when it was given, and for which it is the probe.
	accountChanges, senderChanges uint64
	accountProbe, senderProbe     bool
}

// Check says with a *ClosedError what is closed, without letting anything
// through: who would have to wait for other things first asks before and after.
// A sender without From asks for the account alone.
func (d *Doors) Check(s Sender) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if closed := d.refusal(d.account(s.Destination), s, time.Now()); closed != nil {
		return closed
	}
	return nil
}

// refusal is what holds a request back, if anything does.
func (d *Doors) refusal(a *account, s Sender, now time.Time) *ClosedError {
	if a.refuses(now) {
		return a.error(Sender{Destination: s.Destination}, now)
	}
	if from := d.senders[s]; from != nil && from.refuses(now) {
		return from.error(s, now)
	}
	return nil
}

// Enter lets a request through, or says with a *ClosedError what is closed.
// It waits only where the account may no longer be good and others are being
// tried; otherwise the only error is the context's.
func (d *Doors) Enter(ctx context.Context, s Sender) (*Pass, error) {
	for {
		pass, wait, err := d.try(s, time.Now())
		if wait == nil {
			return pass, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try is Enter without waiting: wait tells when to try again.
func (d *Doors) try(s Sender, now time.Time) (pass *Pass, wait <-chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.account(s.Destination)
	from := d.senders[s]
	if closed := d.refusal(a, s, now); closed != nil {
		return nil, nil, closed
	}
	if !a.closed && a.under >= cautious && now.Sub(a.heard) > unheard {
		if a.moved == nil {
			a.moved = make(chan struct{})
		}
		return nil, a.moved, nil
	}
	a.under++
	p := &Pass{doors: d, sender: s, account: a, accountChanges: a.changes, accountProbe: a.probe()}
	if from != nil {
		p.senderChanges, p.senderProbe = from.changes, from.probe()
	}
	return p, nil, nil
}

func (d *Doors) account(name string) *account {
	a, ok := d.accounts[name]
	if !ok {
		a = &account{}
		d.accounts[name] = a
		d.metrics.AccountClosed.WithLabelValues(name).Set(0)
		d.metrics.SendersClosed.WithLabelValues(name).Set(0)
	}
	return a
}

// refuses reports whether a request has to hold.
func (x *door) refuses(now time.Time) bool { return x.closed && (x.probing || now.Before(x.next)) }

func (x *door) error(s Sender, now time.Time) *ClosedError {
	return &ClosedError{Sender: s, Cause: x.cause, Since: x.since, RetryAfter: max(x.next.Sub(now), probeWait)}
}

// probe begins a probe if the door is closed.
func (x *door) probe() bool {
	x.probing = x.closed
	return x.closed
}

// Answer is what came of a request that passed.
type Answer uint8

const (
	// Accepted: the account and the sender are good.
	Accepted Answer = iota + 1
	// Answered: Twilio answered, and neither refused the account nor
	// accepted the message, so that nothing is known of the sender.
	Answered
	// SenderRefused: the account is good, the sender is not, for this recipient.
	SenderRefused
	// AccountRefused: nothing of the account will be accepted.
	AccountRefused
	// Unheard: Twilio's answer didn't come, or the request never left.
	Unheard
)

// Done tells what came of the request, which was to a recipient; cause is
// that of a refusal. It reports whether the account or the sender is closed
// now, so that the refusal is no event's fault. Done is called once.
func (p *Pass) Done(answer Answer, recipient string, cause Refusal) (closed bool) {
	d, now := p.doors, time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	closed = d.settleAccount(p, answer, cause, now)
	switch answer {
	case Accepted:
		d.openSender(p, now)
	case SenderRefused:
		closed = d.refuseSender(p, recipient, cause, now)
	default:
		if from := d.senders[p.sender]; from != nil && p.senderProbe && from.changes == p.senderChanges {
			from.again(now, false)
		}
	}
	return closed
}

func (d *Doors) settleAccount(p *Pass, answer Answer, cause Refusal, now time.Time) (closed bool) {
	a := p.account
	a.under--
	current := a.changes == p.accountChanges
	switch answer {
	case AccountRefused:
		switch {
		case !a.closed && current:
			a.shut(cause, now)
			d.metrics.AccountClosed.WithLabelValues(p.sender.Destination).Set(1)
			d.log.Error().Str("destination", p.sender.Destination).Int("code", cause.Code).Str("why", cause.Message).
				Msg("Twilio refuses the account or its key; its messages are held, and one is tried now and then: correct the settings")
		case p.accountProbe && current:
			a.again(now, true)
		}
		closed = a.closed
	case Unheard:
		if p.accountProbe && current {
			a.again(now, false)
		}
	default:
		if !a.closed || current {
			a.heard = now
		}
		if a.closed && current {
			a.open()
			d.metrics.AccountClosed.WithLabelValues(p.sender.Destination).Set(0)
			d.log.Info().Str("destination", p.sender.Destination).Dur("closed_for", now.Sub(a.since)).Msg("Twilio takes the account's messages again")
		}
	}
	if a.moved != nil {
		close(a.moved)
		a.moved = nil
	}
	return closed
}

// openSender is for a message that was accepted.
func (d *Doors) openSender(p *Pass, now time.Time) {
	from := d.senders[p.sender]
	if from == nil || from.changes != p.senderChanges {
		return
	}
	delete(d.senders, p.sender)
	if from.closed {
		d.metrics.SendersClosed.WithLabelValues(p.sender.Destination).Dec()
		d.log.Info().Str("destination", p.sender.Destination).Str("from", p.sender.From).Dur("closed_for", now.Sub(from.since)).Msg("Twilio takes the sender's messages again")
	}
}

// refuseSender counts a refusal and closes the sender with the fifth in a row.
func (d *Doors) refuseSender(p *Pass, recipient string, cause Refusal, now time.Time) (closed bool) {
	from := d.senders[p.sender]
	if from == nil {
		d.forgetSuspects()
		from = &door{}
		d.senders[p.sender] = from
	}
	if from.closed {
		if p.senderProbe && from.changes == p.senderChanges {
			from.again(now, true)
		}
		return true
	}
	if h := maphash.String(d.seed, recipient); !slices.Contains(from.refused, h) {
		from.refused = append(from.refused, h)
	}
	from.since = now
	if len(from.refused) < refusalsToClose {
		return false
	}
	from.shut(cause, now)
	d.metrics.SendersClosed.WithLabelValues(p.sender.Destination).Inc()
	d.log.Error().Str("destination", p.sender.Destination).Str("from", p.sender.From).Int("code", cause.Code).Str("why", cause.Message).
		Msg("Twilio refuses the sender for everybody; its messages are held, and one is tried now and then: correct the action's from")
	return true
}

// forgetSuspects makes room for one more: of those that are not closed, the
// ones refused longest ago go.
func (d *Doors) forgetSuspects() {
	if len(d.senders) < maxSuspects {
		return
	}
	suspects := make([]Sender, 0, len(d.senders))
	for s, from := range d.senders {
		if !from.closed {
			suspects = append(suspects, s)
		}
	}
	slices.SortFunc(suspects, func(a, b Sender) int { return d.senders[a].since.Compare(d.senders[b].since) })
	for _, s := range suspects[:(len(suspects)+1)/2] {
		delete(d.senders, s)
	}
}

// shut closes the door.
func (x *door) shut(cause Refusal, now time.Time) {
	*x = door{closed: true, since: now, cause: cause, changes: x.changes + 1, pause: probeAfter, next: now.Add(probeAfter)}
}

// again ends a probe that didn't open the door; longer says that it was refused.
func (x *door) again(now time.Time, longer bool) {
	x.probing = false
	if longer {
		x.pause = min(2*x.pause, probeAtMost)
	}
	x.next = now.Add(x.pause)
}

// open opens the door. What began before says nothing of it any more.
func (x *door) open() { x.closed, x.probing, x.changes = false, false, x.changes+1 }

// Closed are the accounts and senders that are closed now, accounts first.
func (d *Doors) Closed() []ClosedError {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	var closed []ClosedError
	for name, a := range d.accounts {
		if a.closed {
			closed = append(closed, *a.error(Sender{Destination: name}, now))
		}
	}
	for s, from := range d.senders {
		if from.closed {
			closed = append(closed, *from.error(s, now))
		}
	}
	slices.SortFunc(closed, func(a, b ClosedError) int {
		return cmp.Or(cmp.Compare(min(len(a.Sender.From), 1), min(len(b.Sender.From), 1)), cmp.Compare(a.Sender.Destination, b.Sender.Destination), cmp.Compare(a.Sender.From, b.Sender.From))
	})
	return closed
}
