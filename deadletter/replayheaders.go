package deadletter

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"
)

// Replayed is what a source record is when it is a replayed dead letter.
type Replayed struct {
	ID          string `json:"id"` // of the dead letter
	Destination string `json:"destination,omitempty"`
	Action      string `json:"action,omitempty"` // "" means all of the destination's actions
	Origin      string `json:"origin,omitempty"` // "topic/partition/offset" of the event's first appearance
	Replays     int    `json:"replays"`          // this replay's number, from 1

	Permission // of the record of replays only: no header gives one
}

// Permission is what a replay may do that an event may not.
type Permission struct {
	// Doubt is what the ledger said of an earlier attempt that may have been
	// sent: what Twilio is asked with, when the ledger knows it no more. See
	// Record.Doubt.
	Doubt string `json:"doubt,omitempty"`
	// EvenIfSent sends also where Twilio can't tell whether it was sent.
	EvenIfSent bool `json:"evenIfSent,omitempty"`
	// Past is a message that Twilio accepted and didn't deliver: the ledger's
	// entry of it is no reason not to send once more. Nil: there is none.
	Past *Past `json:"past,omitempty"`
}

// Past is a message that was sent, and where in the source its event is.
type Past struct {
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	SID       string `json:"sid,omitempty"`
}

// claim is what a source record says of itself, which anybody can write.
type claim struct {
	Replayed
	plan      string
	partition int   // of the record of replays
	offset    int64 // likewise; -1: it doesn't say
}

// ParseReplayed reads the replay headers of a record, which say the truth in
// our own topics only: in the source, see Confirmer. ok is false for a record
// that isn't a replay. It neither keeps headers nor, for a record that isn't a
// replay, allocates.
func ParseReplayed(headers []kafka.Header) (r Replayed, ok bool) {
	c, ok := parseClaim(headers)
	return c.Replayed, ok
}

func parseClaim(headers []kafka.Header) (c claim, ok bool) {
	c.offset = -1
	for i := range headers {
		h := &headers[i]
		if !strings.HasPrefix(h.Key, replayPrefix) {
			continue
		}
		switch h.Key {
		case HeaderReplayID:
			c.ID, ok = string(h.Value), true
		case HeaderReplayDestination:
			c.Destination = string(h.Value)
		case HeaderReplayAction:
			c.Action = string(h.Value)
		case HeaderReplayOrigin:
			c.Origin = string(h.Value)
		case HeaderReplays:
			// A count that can't be read counts as none: the event
			// is handled all the same.
			_ = setInt(&c.Replays, h.Value)
		case HeaderReplayPlan:
			c.plan = string(h.Value)
		case HeaderReplayRecord:
			c.partition, c.offset = parsePlace(string(h.Value))
		}
	}
	if !ok {
		return claim{}, false
	}
	return c, true
}

// replayPrefix is what the names of a replay's headers begin with.
const replayPrefix = "engage.repla"

// Claims reports whether a header of this name may be a replay's.
func Claims(name []byte) bool { return strings.HasPrefix(string(name), replayPrefix) }

// parsePlace reads "partition/offset"; the offset is -1 where it isn't one.
func parsePlace(s string) (partition int, offset int64) {
	p, o, _ := strings.Cut(s, "/")
	n, err := parseInt([]byte(p), 32)
	if err != nil {
		return 0, -1
	}
	if offset, err = parseInt([]byte(o), 64); err != nil {
		return 0, -1
	}
	return int(n), offset
}

// Wants reports whether the replay is meant for an action of a destination.
func (r Replayed) Wants(destination, action string) bool {
	return r.WantsDestination(destination) && (r.Action == "" || r.Action == action)
}

// WantsDestination reports whether the replay is meant for a destination.
func (r Replayed) WantsDestination(destination string) bool {
	return r.Destination == "" || r.Destination == destination
}

// replayMessage is the source record that replays r for the nth time: the
// event's key, value and headers, then the replay's. at is where in the
// record of replays the plan has written that it is about to be published.
func replayMessage(r *Record, n int, plan string, partition int, at int64) kafka.Message {
	own := Foreign(r.Headers)
	b := headerBuilder{headers: append(make([]kafka.Header, 0, len(own)+7), own...)}
	b.positive(HeaderReplays, n)
	b.text(HeaderReplayID, r.ID())
	b.text(HeaderReplayDestination, r.Destination)
	b.text(HeaderReplayAction, r.Action)
	b.text(HeaderReplayOrigin, r.origin())
	b.text(HeaderReplayPlan, plan)
	b.text(HeaderReplayRecord, strconv.Itoa(partition)+"/"+strconv.FormatInt(at, 10))
	return kafka.Message{Key: r.Key, Value: r.Value, Headers: b.headers}
}

// fingerprint names an event in the record of replays.
func fingerprint(value []byte) string {
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:])
}
