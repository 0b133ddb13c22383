package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"engage-worker/consumer/ledger"
)

// Record is what is known of a message, as the status topic holds it under the
// ledger's key. What is unknown is zero.
type Record struct {
	SID        string    `json:"sid"`
	Status     State     `json:"status"`
	Code       int       `json:"code"` // Twilio's, of a failure
	To         string    `json:"to,omitempty"`
	From       string    `json:"from,omitempty"`
	Action     string    `json:"action,omitempty"`
	MessageID  string    `json:"messageId,omitempty"`
	UserID     string    `json:"userId,omitempty"`
	Region     string    `json:"region,omitempty"`
	Segments   int       `json:"segments,omitempty"`
	Position   Position  `json:"position"` // of the event, in the source
	AcceptedAt time.Time `json:"acceptedAt"`
	SentAt     time.Time `json:"sentAt,omitzero"`
	FinalAt    time.Time `json:"finalAt,omitzero"`
	SeenAt     time.Time `json:"seenAt,omitzero"` // when the status was learnt
	By         Feeder    `json:"by,omitempty"`
}

// Position is a ledger.Position that is written as "partition/offset".
type Position ledger.Position

func (p Position) append(b []byte) []byte {
	return strconv.AppendInt(append(strconv.AppendInt(b, int64(p.Partition), 10), '/'), p.Offset, 10)
}

// MarshalText writes it.
func (p Position) MarshalText() ([]byte, error) { return p.append(nil), nil }

// UnmarshalText is MarshalText's inverse.
func (p *Position) UnmarshalText(text []byte) error {
	partition, offset, _ := strings.Cut(string(text), "/")
	n, err1 := strconv.ParseInt(partition, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	if err1 != nil || err2 != nil {
		return errors.New("a position is partition/offset")
	}
	*p = Position{Partition: int(n), Offset: o}
	return nil
}

// Feeder is who told of a status.
type Feeder string

const (
	ByCallback Feeder = "callback"
	BySweep    Feeder = "sweep"
)

// maxText bounds each text that an event had a say in.
const maxText = 1024

// ParseRecord reads a record's value. The error quotes nothing of it.
func ParseRecord(value []byte) (r Record, err error) {
	if !r.parse(value) {
		if r, err = unmarshal(value); err != nil {
			return Record{}, fmt.Errorf("not a status record: %w", veiled(err))
		}
	}
	if r.SID == "" || r.Status == 0 {
		return Record{}, errors.New("not a status record: it has no sid or no status")
	}
	return r, nil
}

func unmarshal(value []byte) (r Record, err error) {
	err = json.Unmarshal(value, &r)
	return r, err
}

// veiled leaves out of a JSON error what it quotes.
func veiled(err error) error {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("the field %s is of another type", wrong.Field)
	}
	if _, broken := errors.AsType[*json.SyntaxError](err); broken {
		return errors.New("it isn't JSON")
	}
	return errors.New("a field isn't what it should be")
}

// News is what somebody says of a message.
type News struct {
	Key    []byte // the ledger's
	SID    string
	Status State
	Code   int // of a failure
	By     Feeder
	SeenAt time.Time

	// What Twilio says besides; zero where it doesn't.
	Segments        int
	SentAt, FinalAt time.Time
}

// take merges the news of one SID into its record, and reports whether the
// message came further by it.
func (r *Record) take(n *News) bool {
	if n.SID != r.SID {
		return false
	}
	r.Segments = max(r.Segments, n.Segments)
	if r.SentAt.IsZero() {
		r.SentAt = n.SentAt
	}
	if n.Status <= r.Status {
		return false
	}
	r.Status, r.By, r.SeenAt = n.Status, n.By, n.SeenAt
	if r.Status == Sent && r.SentAt.IsZero() {
		r.SentAt = n.SeenAt
	}
	r.Code = 0
	if r.Status.Failure() {
		r.Code = n.Code
	}
	if r.Status.Final() && (r.FinalAt.IsZero() || r.Status != Read) {
		r.FinalAt = n.FinalAt
		if r.FinalAt.IsZero() {
			r.FinalAt = n.SeenAt
		}
	}
	return true
}
