package status

import (
	"context"
	"testing"

	"github.com/segmentio/kafka-go"

	"engage-worker/deadletter"
)

// headed is a source whose event has the headers of a replay.
type headed struct{}

func (headed) Event(context.Context, Position) (*kafka.Message, error) {
	return &kafka.Message{Value: []byte(`{"messageId":"m1"}`), Headers: []kafka.Header{
		{Key: deadletter.HeaderReplayID, Value: []byte("1")}, {Key: deadletter.HeaderReplays, Value: []byte("2147483647")}, {Key: deadletter.HeaderReplayOrigin, Value: []byte("events/0/1")},
	}}, nil
}

// recorded is a record of replays that knows a replay, or none.
type recorded struct {
	deadletter.Replayed
	known bool
}

func (r recorded) Confirm(context.Context, *kafka.Message) (deadletter.Replayed, bool, error) {
	return r.Replayed, r.known, nil
}

// TestALetterKnowsItsReplaysFromTheRecord: and not from what an event says of itself.
func TestALetterKnowsItsReplaysFromTheRecord(t *testing.T) {
	for _, c := range []struct {
		known   recorded
		replays int
		origin  string
	}{
		{recorded{}, 0, ""},
		{recorded{deadletter.Replayed{ID: "1", Origin: "events/0/7", Replays: 2}, true}, 2, "events/0/7"},
	} {
		r := newRig(t)
		f := r.follower(-1)
		f.parts.Events, f.parts.Replays = headed{}, c.known
		if err := f.bury(t.Context(), key("m1"), &Record{MessageID: "m1", Action: "sms", Status: Undelivered}); err != nil {
			t.Fatal(err)
		}
		if got := r.letters[0]; got.Replays != c.replays || got.Origin != c.origin || string(got.Value) != `{"messageId":"m1"}` {
			t.Errorf("%d replays of %q", got.Replays, got.Origin)
		}
	}
}
