package twiliosim

import (
	"errors"
	"net/url"
	"time"
)

// Inbound is a message from a person.
type Inbound struct {
	Account string `json:"account"`
	From    string `json:"from"` // the person's number, with its channel
	To      string `json:"to"`   // the own sender
	Body    string `json:"body"`
}

// Receive adds a message from a person to the account's list. It is no message
// that was accepted: neither Messages nor OnAccepted tells of it.
func (s *Sim) Receive(in Inbound) (sid string, err error) {
	if in.Account == "" || in.From == "" || in.To == "" {
		return "", errors.New("inbound message: account, from and to are wanted")
	}
	now := time.Now().UnixNano()
	rec := record{
		account: in.Account, from: filterAddress(in.From), to: filterAddress(in.To), inbound: true,
		raw: url.Values{"Body": {in.Body}}.Encode(), received: now, accepted: now,
		fate: fate{delivered: never, read: never, failed: never},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.add(&rec)
	s.counters.inbound++
	return s.sid(&rec), nil
}

// receivedResource is r as a message that was received.
func receivedResource(r *resource) *resource {
	unit := "USD"
	r.Direction, r.Status, r.DateSent, r.PriceUnit, r.NumSegments = "inbound", statusReceived, &r.DateCreated, &unit, "1"
	return r
}
