package delivery

import (
	"slices"
	"sync"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/ratelimit"
)

// Peers is what the deliveries of all shards of a generation know of each
// other: which regions they go through, whose request is on its way, and what
// their ledgers claim; and what others' ledgers do. It is safe for concurrent
// use once all couriers are made.
type Peers struct {
	flights  *Flights
	others   others
	restored <-chan struct{} // closed when all of the shards' ledgers are read
	ledgers  []claims

	mu      sync.Mutex
	used    []*ratelimit.Gate // those that deliveries went through
	senders [2]string         // two of those that they had
}

// NewPeers makes a generation's. restored is closed when the ledgers of all
// its shards are read; flights outlive it. others are the ledgers beside those.
func NewPeers(flights *Flights, restored <-chan struct{}, others others) *Peers {
	return &Peers{flights: flights, restored: restored, others: others}
}

// use remembers a gate that deliveries of this destination go through.
func (p *Peers) use(gate *ratelimit.Gate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.used, gate) {
		p.used = append(p.used, gate)
	}
}

// sends remembers a sender that deliveries of this destination have.
func (p *Peers) sends(from string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.senders[0] != from {
		p.senders = [2]string{from, p.senders[0]}
	}
}

// otherSenders reports whether deliveries had another sender, too.
func (p *Peers) otherSenders(from string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.senders[:], func(s string) bool { return s != "" && s != from })
}

// othersGoOn reports whether a region other than gate's, which deliveries went
// through, is not closed off.
func (p *Peers) othersGoOn(gate *ratelimit.Gate) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.used, func(g *ratelimit.Gate) bool {
		return g != gate && g.Snapshot().Breaker != ratelimit.Open
	})
}

// onlyUsed reports that no delivery went through another gate yet.
func (p *Peers) onlyUsed(gate *ratelimit.Gate) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.used, func(g *ratelimit.Gate) bool { return g != gate })
}

// claimed reports whether a delivery of one of the shards was sent under sid.
func (p *Peers) claimed(sid string) bool {
	return slices.ContainsFunc(p.ledgers, func(l claims) bool { return l.Claimed(sid) })
}

// rivals are the body tags of the other deliveries to m's recipient that are
// in doubt, wherever they are: in work, in a retry topic, or not read again
// yet since their shard came to us. at is where the list may show their messages.
func (p *Peers) rivals(m *twilio.Message, at place, recordKey []byte) (bodies []uint32) {
	shown := shownWith(m)
	for _, l := range p.ledgers {
		bodies = append(bodies, l.Doubtful(func(o ledger.Doubt) bool { return shown(o) == at }, recordKey)...)
	}
	return bodies
}
