package twiliosim

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Outage is a way for a vendor to be down for every request.
type Outage string

const (
	Up          Outage = ""            // none
	Unavailable Outage = "unavailable" // every request is answered with 503, nothing is accepted
	Dropped     Outage = "dropped"     // every connection is closed instead of an answer, nothing is accepted
	Refused     Outage = "refused"     // the listeners are closed, so connections are refused, and kept ones reset; see Sim.Listen
)

// Behaviour is how the vendor behaves. The zero value is a vendor at its
// best. Ratios are of create requests that passed validation, between 0 and
// 1; the fault of a request is one of them at most, so they add up to 1 at most.
type Behaviour struct {
	Latency time.Duration `yaml:"latency,omitempty"` // before each answer
	Jitter  time.Duration `yaml:"jitter,omitempty"`  // up to this is added to it

	Rate          float64       `yaml:"rate,omitempty"`          // messages per second, more get a 429; 0 = no limit
	Burst         int           `yaml:"burst,omitempty"`         // of that rate; 0 = a tenth of it, at least 1
	MaxConcurrent int           `yaml:"maxConcurrent,omitempty"` // create requests at once, more get a 429; 0 = no limit
	RetryAfter    time.Duration `yaml:"retryAfter,omitempty"`    // what a 429 asks for; 0 = it has no Retry-After
	Storm         bool          `yaml:"storm,omitempty"`         // every create request gets a 429
	Outage        Outage        `yaml:"outage,omitempty"`
	KeyRefused    bool          `yaml:"keyRefused,omitempty"`    // every create request and list gets a 401, as with a key that was deleted
	SenderRefused bool          `yaml:"senderRefused,omitempty"` // every create request gets a 21606, as with a sender that isn't the account's

	// Not accepted.
	Throttled   float64 `yaml:"throttled,omitempty"`   // 429
	Unavailable float64 `yaml:"unavailable,omitempty"` // 503
	Failed      float64 `yaml:"failed,omitempty"`      // 500
	Reset       float64 `yaml:"reset,omitempty"`       // the connection is reset
	Silent      float64 `yaml:"silent,omitempty"`      // no answer, until the client goes away

	// Accepted.
	AcceptedThen500     float64       `yaml:"acceptedThen500,omitempty"`
	AcceptedThenReset   float64       `yaml:"acceptedThenReset,omitempty"`
	AcceptedThenSilence float64       `yaml:"acceptedThenSilence,omitempty"`
	Garbled             float64       `yaml:"garbled,omitempty"` // a 201 that can't be decoded
	Slow                float64       `yaml:"slow,omitempty"`    // accepted at once, answered SlowFor later
	SlowFor             time.Duration `yaml:"slowFor,omitempty"` // default 5 s
	Late                float64       `yaml:"late,omitempty"`    // accepted only LateFor later, though the client may be gone by then
	LateFor             time.Duration `yaml:"lateFor,omitempty"` // default 2 s

	// Lists and look-ups.
	ListLag      time.Duration `yaml:"listLag,omitempty"`      // from acceptance until the list shows a message
	ListErrors   float64       `yaml:"listErrors,omitempty"`   // ratio of lists answered with a 500
	LookupErrors float64       `yaml:"lookupErrors,omitempty"` // ratio of template and profile look-ups answered with a 500
}

// Scope is a part of the vendor that behaves differently. Its Behaviour
// stands in for the default's as a whole. A request belongs to it when each
// selector that isn't empty matches.
type Scope struct {
	Accounts []string `yaml:"accounts,omitempty"` // account SIDs; for profile look-ups, spaces
	Senders  []string `yaml:"senders,omitempty"`  // prefixes of From as posted, or of the MG... SID; for lists, of the From filter
	Hosts    []string `yaml:"hosts,omitempty"`    // host:port as in the Host header or of the listener, or :port

	Behaviour `yaml:",inline"`
}

// Faults are how the vendor behaves, and where differently.
type Faults struct {
	Seed      uint64 `yaml:"seed,omitempty"`
	Behaviour `yaml:",inline"`
	Scopes    []Scope `yaml:"scopes,omitempty"` // the first that matches counts
}

// validate tells everything that is wrong.
func (f *Faults) validate() error {
	errs := []error{f.Behaviour.validate("")}
	for i := range f.Scopes {
		s := &f.Scopes[i]
		place := fmt.Sprintf("scopes[%d].", i)
		errs = append(errs, s.Behaviour.validate(place))
		if len(s.Accounts)+len(s.Senders)+len(s.Hosts) == 0 {
			errs = append(errs, fmt.Errorf("%saccounts, senders or hosts: one must be given", place))
		}
		if s.Outage == Refused && len(s.Accounts)+len(s.Senders) > 0 {
			errs = append(errs, fmt.Errorf("%soutage: refused closes listeners, so the scope can only select hosts", place))
		}
	}
	return errors.Join(errs...)
}

func (b *Behaviour) validate(place string) error {
	var errs []error
	if !slices.Contains([]Outage{Up, Unavailable, Dropped, Refused}, b.Outage) {
		errs = append(errs, fmt.Errorf("%soutage: %q is none of unavailable, dropped, refused", place, b.Outage))
	}
	for _, ratio := range []float64{b.ListErrors, b.LookupErrors} {
		if !(ratio >= 0 && ratio <= 1) {
			errs = append(errs, fmt.Errorf("%slistErrors, lookupErrors: a ratio is between 0 and 1", place))
		}
	}
	sum := 0.0
	for _, ratio := range b.ratios() {
		if !(ratio >= 0 && ratio <= 1) {
			errs = append(errs, fmt.Errorf("%sratios: each is between 0 and 1", place))
			break
		}
		sum += ratio
	}
	if sum > 1+1e-9 {
		errs = append(errs, fmt.Errorf("%sratios: they add up to %.3g, more than 1", place, sum))
	}
	if min(b.Latency, b.Jitter, b.RetryAfter, b.SlowFor, b.LateFor, b.ListLag) < 0 || b.Rate < 0 || b.Burst < 0 || b.MaxConcurrent < 0 {
		errs = append(errs, fmt.Errorf("%stimes, rates and limits can't be negative", place))
	}
	return errors.Join(errs...)
}

// fault is what befalls one create request.
type fault uint8

const (
	faultThrottled fault = iota + 1
	faultUnavailable
	faultFailed
	faultReset
	faultSilent
	faultAcceptedThen500
	faultAcceptedThenReset
	faultAcceptedThenSilence
	faultGarbled
	faultSlow
	faultLate
	faultKinds // how many there are, and none
)

func (f fault) String() string {
	return [...]string{"", "throttled", "unavailable", "failed", "reset", "silent", "acceptedThen500",
		"acceptedThenReset", "acceptedThenSilence", "garbled", "slow", "late"}[f]
}

// ratios are in the order of the faults.
func (b *Behaviour) ratios() [faultKinds]float64 {
	return [...]float64{0, b.Throttled, b.Unavailable, b.Failed, b.Reset, b.Silent, b.AcceptedThen500,
		b.AcceptedThenReset, b.AcceptedThenSilence, b.Garbled, b.Slow, b.Late}
}

// rules are Faults made ready. They are immutable except for their counters.
type rules struct {
	given    Faults
	scopes   []*rule
	standard *rule
	draws    atomic.Uint64
}

type rule struct {
	Scope
	ladder   [faultKinds]float64 // ladder[f]: up to which draw the fault is f
	limiter  *rate.Limiter       // nil: no limit
	inFlight atomic.Int64
}

func newRules(f Faults) *rules {
	r := &rules{given: f, standard: newRule(Scope{Behaviour: f.Behaviour})}
	for _, s := range f.Scopes {
		r.scopes = append(r.scopes, newRule(s))
	}
	return r
}

func newRule(s Scope) *rule {
	if s.SlowFor == 0 {
		s.SlowFor = 5 * time.Second
	}
	if s.LateFor == 0 {
		s.LateFor = 2 * time.Second
	}
	r := &rule{Scope: s}
	sum := 0.0
	for i, ratio := range s.ratios() {
		sum += ratio
		r.ladder[i] = sum
	}
	if s.Rate > 0 {
		burst := s.Burst
		if burst == 0 {
			burst = max(1, int(s.Rate/10))
		}
		r.limiter = rate.NewLimiter(rate.Limit(s.Rate), burst)
	}
	return r
}

// match finds the rule of a request.
func (r *rules) match(account, sender string, req *http.Request) *rule {
	for _, s := range r.scopes {
		if s.selects(account, sender, req) {
			return s
		}
	}
	return r.standard
}

func (s *Scope) selects(account, sender string, req *http.Request) bool {
	return (len(s.Accounts) == 0 || slices.Contains(s.Accounts, account)) &&
		(len(s.Senders) == 0 || sender != "" && slices.ContainsFunc(s.Senders, func(p string) bool { return strings.HasPrefix(sender, p) })) &&
		(len(s.Hosts) == 0 || s.selectsHost(req.Host) || s.selectsHost(listenerOf(req).Addr()))
}

func (s *Scope) selectsHost(host string) bool {
	_, port, _ := net.SplitHostPort(host)
	return slices.ContainsFunc(s.Hosts, func(h string) bool { return h == host || port != "" && h == ":"+port })
}

// outage is that of a listener.
func (r *rules) outage(addr string) Outage {
	for _, s := range r.scopes {
		if len(s.Hosts) > 0 && len(s.Accounts)+len(s.Senders) == 0 && s.selectsHost(addr) {
			return s.Outage
		}
	}
	return r.standard.Outage
}

// draw is the next of the seed's random numbers: two for each request.
func (r *rules) draw() uint64 { return scatter(r.given.Seed + odd*r.draws.Add(1)) }

// scatter is the finalizer of splitmix64 (public domain, Sebastiano Vigna).
func scatter(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps a draw to [0, 1).
func unit(draw uint64) float64 { return float64(draw>>11) / (1 << 53) }

func (r *rule) latency(draw uint64) time.Duration {
	if r.Jitter == 0 {
		return r.Latency
	}
	return r.Latency + time.Duration(math.Round(unit(scatter(draw+odd))*float64(r.Jitter)))
}

// fault is what the draw stands for, 0 for nothing.
func (r *rule) fault(draw uint64) fault {
	u := unit(draw)
	for f := faultThrottled; f < faultKinds; f++ {
		if u < r.ladder[f] {
			return f
		}
	}
	return 0
}

// SetFaults replaces the faults at once: rates begin anew, and which request
// meets which fault is drawn anew from the seed. Requests that already wait
// go on waiting. Listeners whose Outage is Refused are closed, with their
// connections; others that were are opened again, which fails when a port that
// was asked for by its number was taken meanwhile.
func (s *Sim) SetFaults(f Faults) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("faults of the simulated Twilio: %w", err)
	}
	f.Scopes = slices.Clone(f.Scopes)
	s.listening.Lock()
	defer s.listening.Unlock()
	rules := newRules(f)
	s.faults.Store(rules)
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.follow(rules))
	}
	return errors.Join(errs...)
}

// Faults are the present ones.
func (s *Sim) Faults() Faults { return s.faults.Load().given }

// out treats a request to a vendor that is down, and reports whether it is.
func (s *Sim) out(w http.ResponseWriter, r *http.Request, rule *rule) bool {
	switch rule.Outage {
	case Unavailable:
		s.refuse(w, r, errUnavailable)
	case Dropped, Refused: // a listener that refuses still has requests that came before
		s.hangUp(w)
	default:
		return false
	}
	return true
}

// pause waits for d and is false when the client went away or the simulator
// closed.
func (s *Sim) pause(r *http.Request, d time.Duration) bool {
	return d <= 0 || s.wait(d, r.Context().Done())
}

func (s *Sim) wait(d time.Duration, gone <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-gone:
	case <-s.closed:
	}
	return false
}

// silence lets the client wait until it goes away.
func (s *Sim) silence(w http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.closed:
	}
	s.hangUp(w)
}

// hangUp closes the connection without an answer, with a reset where it is
// TCP of its own (HTTP/1).
func (s *Sim) hangUp(w http.ResponseWriter) {
	s.count(func(c *counters) { c.hungUp++ })
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // best effort: else the client sees an end instead of a reset
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler) // how a handler tells net/http to close the connection
}
