package deadletter

import (
	"strings"

	"github.com/segmentio/kafka-go"
)

// Replayed is what a source record says when it is a replayed dead letter.
type Replayed struct {
	ID          string // of the dead letter
	Destination string
	Action      string // "" means all of the destination's actions
	Origin      string // "topic/partition/offset" of the event's first appearance
	Replays     int    // this replay's number, from 1
}

// ParseReplayed reads the replay headers of a source record. ok is false for
// a record that isn't a replay. It neither keeps headers nor, for a record
// that isn't a replay, allocates.
func ParseReplayed(headers []kafka.Header) (r Replayed, ok bool) {
	for i := range headers {
		h := &headers[i]
		if !strings.HasPrefix(h.Key, "engage.repla") {
			continue
		}
		switch h.Key {
		case HeaderReplayID:
			r.ID, ok = string(h.Value), true
		case HeaderReplayDestination:
			r.Destination = string(h.Value)
		case HeaderReplayAction:
			r.Action = string(h.Value)
		case HeaderReplayOrigin:
			r.Origin = string(h.Value)
		case HeaderReplays:
			// A count that can't be read counts as none: the event
			// is handled all the same.
			_ = setInt(&r.Replays, h.Value)
		}
	}
	if !ok {
		return Replayed{}, false
	}
	return r, true
}

// Wants reports whether the replay is meant for an action of a destination.
func (r Replayed) Wants(destination, action string) bool {
	return (r.Destination == "" || r.Destination == destination) && (r.Action == "" || r.Action == action)
}

// replayMessage is the source record that replays r for the nth time: the
// event's key, value and headers, then the replay's.
func replayMessage(r *Record, n int) kafka.Message {
	own := Foreign(r.Headers)
	b := headerBuilder{headers: append(make([]kafka.Header, 0, len(own)+5), own...)}
	b.positive(HeaderReplays, n)
	b.text(HeaderReplayID, r.ID())
	b.text(HeaderReplayDestination, r.Destination)
	b.text(HeaderReplayAction, r.Action)
	b.text(HeaderReplayOrigin, r.origin())
	return kafka.Message{Key: r.Key, Value: r.Value, Headers: b.headers}
}
