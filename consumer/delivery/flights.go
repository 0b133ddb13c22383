package delivery

import (
	"sync"
	"time"

	"engage-worker/actions/twilio"
)

// Flights knows the deliveries of this process whose request has left and
// whose SID isn't in the ledger yet, by recipient: a number's list also shows
// what went through a messaging service. It is safe for concurrent use.
type Flights struct {
	mu   sync.Mutex
	at   map[string]int
	sids map[string]bool      // chosen, and about to be claimed in the ledger
	late map[string]time.Time // until when a request may still come up in Twilio's list
}

// NewFlights knows of none.
func NewFlights() *Flights {
	return &Flights{at: map[string]int{}, sids: map[string]bool{}, late: map[string]time.Time{}}
}

// move counts a request to m's recipient in or out.
func (x *Flights) move(m *twilio.Message, by int) {
	k := m.Person()
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
	return x.at[m.Person()] > 0
}

// doubt remembers that a request to m's recipient may come up in Twilio's list
// until then. Of two deliveries with the same text each may take the other's
// message for its own, so that the list's silence counts for neither before.
func (x *Flights) doubt(m *twilio.Message, until time.Time) {
	k := m.Person()
	x.mu.Lock()
	defer x.mu.Unlock()
	if until.After(x.late[k]) {
		x.late[k] = until
		time.AfterFunc(time.Until(until)+listedWithin, func() { x.settle(k) })
	}
}

// listedWithin is more than it takes to ask the list: a list that was asked before a
// doubt was over says nothing, though its answer comes later.
const listedWithin = 15 * time.Minute

// settle forgets a doubt that has been over for long.
func (x *Flights) settle(k string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if time.Since(x.late[k]) >= listedWithin {
		delete(x.late, k)
	}
}

// doubtful is until when a request to m's recipient may come up in Twilio's list,
// or could have; the zero time if none was in doubt lately.
func (x *Flights) doubtful(m *twilio.Message) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.late[m.Person()]
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
