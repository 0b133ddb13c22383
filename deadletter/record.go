package deadletter

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// Record is one dead letter. Its zero value of a field means unknown. It
// holds personal data: never log it.
type Record struct {
	// The event, byte for byte. A nil Value was null, an empty one empty.
	Key     []byte
	Value   []byte
	Headers []kafka.Header

	// Where the event was when it failed, and who failed on it.
	Topic         string
	Partition     int
	Offset        int64
	Timestamp     time.Time // of the event's Kafka record
	Group         string
	DeliveryCount int    // attempts, over all retries
	Message       string // for people: what went wrong; no secret, body or full number

	// Origin is "topic/partition/offset" of the event's first appearance
	// when this one was replayed (HeaderReplayOrigin), else "".
	Origin string

	Destination   string
	Action        string // "" when malformed
	Reason        string // outcome.Reason's name
	Disposition   Disposition
	MessageID     string
	UserID        string
	Region        string
	Recipient     string // masked
	TwilioCode    int
	TwilioStatus  int // HTTP
	RequestID     string
	TwilioSID     string // of the message that Twilio accepted first; Undelivered only
	FirstFailedAt time.Time
	LastFailedAt  time.Time
	Doubt         string // of what may have been sent: the ledger's entry of the attempt, as its topic has it
	Replays       int    // how often the event was replayed before this death

	// Where the dead letter is; set by Decode.
	Position Position

	// What became of it, and why where that isn't said by it; set by who asked
	// States.
	State    State
	StateWhy string

	id string // what the record says of itself; see ID
}

// Position is a place in a dead-letter topic.
type Position struct {
	Topic     string
	Partition int
	Offset    int64
	Time      time.Time // when it was written
}

// WithID is a record of which nothing is known but what it says its id to be.
func WithID(id string) *Record { return &Record{id: id} }

// Clone is a copy that shares no bytes with r: to be kept when r's reader
// goes on.
func (r *Record) Clone() *Record {
	c := *r
	c.Key, c.Value, c.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), slices.Clone(r.Headers)
	for i := range c.Headers {
		c.Headers[i].Value = bytes.Clone(c.Headers[i].Value)
	}
	return &c
}

// ID is short, and the same whenever the same event dies under the same
// action of the same destination, replayed or not; of one that was replayed also
// where these were renamed meanwhile.
func (r *Record) ID() string {
	if r.id != "" {
		return r.id
	}
	return deliveryID(r.Destination, r.Action, r.IdempotencyKey())
}

// deliveryID is the id of the dead letters of a delivery.
func deliveryID(destination, action, idempotencyKey string) string {
	h := sha256.New()
	for _, part := range []string{destination, action, idempotencyKey} {
		// The length keeps ("a", "bc") and ("ab", "c") apart.
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// AfterReplay says that the event was replayed. The letter keeps the id of the one
// that was, also where its action or destination has another name now.
func (r *Record) AfterReplay(replay Replayed) {
	r.Origin, r.Replays = replay.Origin, replay.Replays
	if replay.Action != "" {
		r.id = replay.ID
	}
}

// IdempotencyKey is the event's identity; see EventKey.
func (r *Record) IdempotencyKey() string { return EventKey(r.MessageID, r.origin()) }

// appendOrigin appends origin.
func (r *Record) appendOrigin(b []byte) []byte {
	if r.Origin != "" {
		return append(b, r.Origin...)
	}
	b = append(append(b, r.Topic...), '/')
	b = append(strconv.AppendInt(b, int64(r.Partition), 10), '/')
	return strconv.AppendInt(b, r.Offset, 10)
}

func (r *Record) origin() string {
	if r.Origin != "" {
		return r.Origin
	}
	return Origin(r.Topic, r.Partition, r.Offset)
}

// Origin writes a position as HeaderReplayOrigin and the idempotency key of
// an event without a messageId do.
func Origin(topic string, partition int, offset int64) string {
	return topic + "/" + strconv.Itoa(partition) + "/" + strconv.FormatInt(offset, 10)
}

// FailedAt is when the delivery failed for good, as far as the record tells.
func (r *Record) FailedAt() time.Time {
	if !r.LastFailedAt.IsZero() {
		return r.LastFailedAt
	}
	return r.Position.Time
}
