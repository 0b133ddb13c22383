package twiliosim

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Stats count since the start or the last Reset.
type Stats struct {
	Received  uint64            `json:"received"` // create requests read, whatever became of them
	Accepted  uint64            `json:"accepted"` // messages
	Lists     uint64            `json:"lists"`
	Fetches   uint64            `json:"fetches"`
	Templates uint64            `json:"templates"`
	Profiles  uint64            `json:"profiles"`
	HungUp    uint64            `json:"hungUp"`   // connections closed instead of an answer
	InFlight  int64             `json:"inFlight"` // create requests at this moment, since SetFaults
	Statuses  map[int]uint64    `json:"statuses"` // answers by HTTP status
	Codes     map[int]uint64    `json:"codes"`    // errors by Twilio's code
	Faults    map[string]uint64 `json:"faults"`   // drawn faults, by the names of Behaviour's fields in JSON
	Inbound   uint64            `json:"inbound"`  // messages received
	Ends      map[string]uint64 `json:"ends"`     // messages by the status in which they end
	Callbacks CallbackStats     `json:"callbacks"`
}

// Second counts what one sender's create requests came to in one second, by
// the time at which they were read.
type Second struct {
	Second    time.Time `json:"second"` // its beginning
	Account   string    `json:"account"`
	Sender    string    `json:"sender"` // From, or the messaging service's SID
	Received  int       `json:"received"`
	Accepted  int       `json:"accepted"`
	Throttled int       `json:"throttled"` // answered with a 429
}

// counters are guarded by the Sim's lock.
type counters struct {
	received, accepted, inbound, lists, fetches, templates, profiles, hungUp uint64

	ends      map[string]uint64
	callbacks CallbackStats

	statuses, codes map[int]uint64
	faults          [faultKinds]uint64
	seconds         map[secondKey]*Second
	latest          *Second // the one that was asked for last
}

type secondKey struct {
	unix            int64
	account, sender string
}

func (c *counters) reset() {
	*c = counters{ends: make(map[string]uint64), statuses: make(map[int]uint64), codes: make(map[int]uint64), seconds: make(map[secondKey]*Second)}
}

func (c *counters) second(ns int64, account, sender string) *Second {
	unix := ns / int64(time.Second)
	if l := c.latest; l != nil && l.Second.Unix() == unix && l.Account == account && l.Sender == sender {
		return l
	}
	key := secondKey{unix, account, sender}
	s := c.seconds[key]
	if s == nil {
		s = &Second{Second: time.Unix(unix, 0).UTC(), Account: account, Sender: sender}
		c.seconds[key] = s
	}
	c.latest = s
	return s
}

// count changes the counters under the lock.
func (s *Sim) count(change func(*counters)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counters)
}

// Stats are the counters at this moment.
func (s *Sim) Stats() Stats {
	rules := s.faults.Load()
	inFlight := rules.standard.inFlight.Load()
	for _, scope := range rules.scopes {
		inFlight += scope.inFlight.Load()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.counters
	stats := Stats{
		Received: c.received, Accepted: c.accepted, Lists: c.lists, Fetches: c.fetches, Templates: c.templates,
		Profiles: c.profiles, HungUp: c.hungUp, InFlight: inFlight,
		Statuses: maps.Clone(c.statuses), Codes: maps.Clone(c.codes), Faults: make(map[string]uint64),
		Inbound: c.inbound, Ends: maps.Clone(c.ends), Callbacks: c.callbacks,
	}
	for f, n := range c.faults {
		if n > 0 {
			stats.Faults[fault(f).String()] = n
		}
	}
	return stats
}

// Seconds are the counts by second, oldest first, then by account and sender.
func (s *Sim) Seconds() []Second {
	s.mu.Lock()
	seconds := make([]Second, 0, len(s.counters.seconds))
	for _, second := range s.counters.seconds {
		seconds = append(seconds, *second)
	}
	s.mu.Unlock()
	slices.SortFunc(seconds, func(a, b Second) int {
		return cmp.Or(a.Second.Compare(b.Second), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Sender, b.Sender))
	})
	return seconds
}
