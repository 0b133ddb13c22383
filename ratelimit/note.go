package ratelimit

import "time"

// Note is what a replica tells the others about one rate, in a log that all
// of them read in the same order. It is an Ask, a Grant or a Return.
type Note struct {
	From   string  `json:"from"` // the replica's name, which no other has
	Rate   string  `json:"rate"` // the region's, or "region/sender"
	Of     int     `json:"of"`   // its slots; replicas that are configured otherwise don't share
	Seq    uint64  `json:"seq"`  // rises with each of From's notes
	Ask    *Ask    `json:"ask,omitempty"`
	Grant  *Grant  `json:"grant,omitempty"`
	Return *Return `json:"return,omitempty"`
}

// Ask says how much its writer needs. It also asks to keep what it borrows.
type Ask struct {
	Held   int                 `json:"held"`            // slots, borrowed ones included
	Demand int                 `json:"demand"`          // slots that it could use
	Keeps  map[string][]uint64 `json:"keeps,omitempty"` // loans, by lender
}

// Grant answers the last ask of To's that its writer has read. A loan that it
// makes or extends lasts for LoanTerm from when that ask was written.
type Grant struct {
	To     string        `json:"to"`
	Ask    uint64        `json:"ask"` // its Seq
	Extend []uint64      `json:"extend,omitempty"`
	Slots  int           `json:"slots,omitempty"`  // lent under the note's Seq
	After  time.Duration `json:"after,omitempty"`  // all of them may be used this long after the note was read
	Recall int           `json:"recall,omitempty"` // slots that To should return: it is another's turn
}

// Return gives slots of loans back.
type Return struct {
	To    string        `json:"to"`
	Parts []Repaid      `json:"parts"`
	After time.Duration `json:"after,omitempty"`
}

// Repaid is what of one loan is returned.
type Repaid struct {
	Loan  uint64 `json:"loan"` // the Seq of the grant that made it
	Slots int    `json:"slots"`
}
