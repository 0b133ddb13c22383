// Package evidence is what a run leaves behind, and what is wrong with it: it
// compares what was produced with what Twilio accepted, the dead letters, the retries
// still due, the statuses and the commits. It starts nothing and asks nobody.
package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Kind is what kind of event was produced, and so what has to come of it.
type Kind string

const (
	Plain     Kind = "plain"     // one message, however often its messageId comes
	Anonymous Kind = "anonymous" // without a messageId: one message for each record
	OptedOut  Kind = "opted out" // Twilio refuses the recipient: a dead letter
	Malformed Kind = "malformed" // no JSON: a dead letter
	Unwanted  Kind = "unwanted"  // no trigger matches: nothing
)

// Reason is the dead letter's that a kind has to get, "" for none.
func (k Kind) Reason() string {
	switch k {
	case OptedOut:
		return "opted_out"
	case Malformed:
		return "malformed_event"
	default:
		return ""
	}
}

// kinds are told by the first letter of an event's ref.
var kinds = map[byte]Kind{'p': Plain, 'a': Anonymous, 'o': OptedOut, 'm': Malformed, 'u': Unwanted}

// KindOf is that of the event with a ref.
func KindOf(ref string) Kind { return kinds[ref[0]] }

// refPattern finds the ref that every event carries, and every message's body.
var refPattern = regexp.MustCompile(`\b[paomu]-[0-9]{6}\b`)

// RefOf is the ref in an event or a body, "" without one.
func RefOf(text []byte) string { return string(refPattern.Find(text)) }

// History is everything that a run left behind.
type History struct {
	Topic    string
	PerEvent int      // messages that a wanted event is worth; 0: one
	Records  []Record // of the source: what was produced
	Requests []Request
	Messages []Message
	Dead     []Dead
	Retries  []Retry
	Ledger   []Entry
	Statuses []Status
	Commits  []Commit
	Owners   []Owner
	Faults   []Fault
}

// Place is a position in a topic.
type Place struct {
	Topic     string `json:"topic,omitempty"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Record is a record of the source topic.
type Record struct {
	Ref    string    `json:"ref"`
	At     time.Time `json:"at"`               // its timestamp: when it was produced
	Replay string    `json:"replay,omitempty"` // the dead letter and the replay's number, of a replay
	Place
}

// Request is a request that reached the vendor, whatever came of it.
type Request struct {
	Ref    string    `json:"ref,omitempty"`
	At     time.Time `json:"at"`
	Ended  time.Time `json:"ended"`
	Method string    `json:"method"`
	To     string    `json:"to,omitempty"`
	Sender string    `json:"sender,omitempty"`
	Status int       `json:"status"` // 0: no answer
}

// Message is a message that the vendor accepted.
type Message struct {
	Ref      string    `json:"ref"`
	Action   string    `json:"action,omitempty"` // only one that was added
	At       time.Time `json:"at"`
	SID      string    `json:"sid"`
	To       string    `json:"to"`
	Sender   string    `json:"sender"`
	Fault    string    `json:"fault,omitempty"`
	Received time.Time `json:"received"`
	End      string    `json:"end,omitempty"` // where it isn't delivered
	Code     int       `json:"code,omitempty"`
}

// Dead is a record of the dead-letter topic.
type Dead struct {
	Ref     string    `json:"ref"`
	At      time.Time `json:"at"`
	ID      string    `json:"id"`
	Action  string    `json:"action,omitempty"`
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	SID     string    `json:"sid,omitempty"` // of what was accepted and failed
	Code    int       `json:"code,omitempty"`
	Replays int       `json:"replays,omitempty"`
	Place
}

// Retry is a record of a retry topic.
type Retry struct {
	Ref    string    `json:"ref"`
	At     time.Time `json:"at"`
	Action string    `json:"action,omitempty"`
	Due    string    `json:"due"`
	Reason string    `json:"reason"`
	Done   bool      `json:"done"` // committed
	Place
}

// Entry is a record of the ledger.
type Entry struct {
	Ref        string    `json:"ref"`
	At         time.Time `json:"at"`
	State      string    `json:"state"`
	SID        string    `json:"sid,omitempty"`
	Generation int32     `json:"generation"`
	Place
}

// Commit is where the group stands in a partition in the end.
type Commit struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
}

// Owner is a replica's time with a shard, by its own log.
type Owner struct {
	Replica    string    `json:"replica"`
	Shard      int       `json:"shard"`
	Generation int32     `json:"generation"`
	From       time.Time `json:"from"`
	Until      time.Time `json:"until"` // zero: until its end, whatever that was
}

// Fault is what the schedule did.
type Fault struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Save writes one file a kind of fact, each line one fact.
func (h *History) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		saveLines(dir, "records", h.Records), saveLines(dir, "requests", h.Requests), saveLines(dir, "messages", h.Messages), saveLines(dir, "dead-letters", h.Dead),
		saveLines(dir, "retries", h.Retries), saveLines(dir, "ledger", h.Ledger), saveLines(dir, "statuses", h.Statuses), saveLines(dir, "commits", h.Commits),
		saveLines(dir, "owners", h.Owners), saveLines(dir, "faults", h.Faults),
	)
}

func saveLines[T any](dir, name string, all []T) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, one := range all {
		if err := encoder.Encode(one); err != nil {
			return fmt.Errorf("write the history: %w", err)
		}
	}
	return os.WriteFile(filepath.Join(dir, name+".jsonl"), text.Bytes(), 0o644)
}
