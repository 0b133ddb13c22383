package delivery

import (
	"sync"

	"engage-worker/actions/twilio"
)

// Flights knows the deliveries of this process whose request has left and
// whose SID isn't in the ledger yet, by recipient and sender. It is safe for
// concurrent use.
type Flights struct {
	mu   sync.Mutex
	at   map[string]int
	sids map[string]bool // chosen, and about to be claimed in the ledger
}

// NewFlights knows of none.
func NewFlights() *Flights { return &Flights{at: map[string]int{}, sids: map[string]bool{}} }

func flightKey(m *twilio.Message) string { return m.To + "\x00" + m.From }

// move counts a request to m's recipient in or out.
func (x *Flights) move(m *twilio.Message, by int) {
	k := flightKey(m)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at[k] += by
	if x.at[k] == 0 {
		delete(x.at, k)
	}
}

// to reports whether a request to m's recipient is on its way.
func (x *Flights) to(m *twilio.Message) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.at[flightKey(m)] > 0
}

// claim chooses sid for one delivery, until unclaim, and reports whether no
// other has chosen it.
func (x *Flights) claim(sid string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sids[sid] {
		return false
	}
	x.sids[sid] = true
	return true
}

func (x *Flights) unclaim(sid string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.sids, sid)
}
