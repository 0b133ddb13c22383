package status

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/deadletter"
	"engage-worker/internal/metrics"
)

// bury writes the dead letter of a message that failed after Twilio had
// accepted it. It makes one attempt.
func (f *Follower) bury(ctx context.Context, recordKey []byte, r *Record) error {
	event, err := f.parts.Events.Event(ctx, r.Position)
	if err != nil {
		return fmt.Errorf("read an event back: %w", err)
	}
	letter := &deadletter.Record{
		Topic: f.cfg.Source, Partition: r.Position.Partition, Offset: r.Position.Offset, Group: f.cfg.Group,
		DeliveryCount: 1, Message: why(r),
		Destination: f.cfg.Destination, Action: r.Action, Reason: outcome.ReasonNotDelivered.String(), Disposition: deadletter.Undelivered,
		MessageID: r.MessageID, UserID: r.UserID, Region: r.Region, Recipient: r.To,
		TwilioCode: r.Code, TwilioSID: r.SID, FirstFailedAt: r.FinalAt, LastFailedAt: r.FinalAt,
	}
	if event != nil && isOf(event.Value, r.MessageID) {
		letter.Key, letter.Value, letter.Headers, letter.Timestamp = event.Key, event.Value, event.Headers, event.Time
		if f.parts.Replays != nil {
			replay, ok, err := f.parts.Replays.Confirm(ctx, event)
			if err != nil {
				return err
			}
			if ok {
				letter.AfterReplay(replay)
			}
		}
	} else {
		letter.Message += "; " + goneFromSource
		letter.Origin = originOf(recordKey, r.MessageID)
	}
	if err := f.parts.DeadLetters.Publish(ctx, letter); err != nil {
		return err
	}
	m := f.parts.Metrics
	m.DeadLetters.WithLabelValues(f.cfg.Destination, r.Action, letter.Reason, string(letter.Disposition)).Inc()
	m.MessagesFailed.WithLabelValues(f.cfg.Destination, twilio.LaterOf(r.Code).String()).Inc()
	return nil
}

// isOf reports whether an event may have a messageId: a topic that was made anew
// holds another event in its place. An id that JSON may escape isn't looked for.
func isOf(event []byte, messageID string) bool {
	for _, c := range []byte(messageID) {
		if c < ' ' || c > '~' || strings.IndexByte(`"\<>&/'`, c) >= 0 {
			return true
		}
	}
	return bytes.Contains(event, []byte(messageID))
}

// Begin makes a destination's series whose labels are known beforehand.
func Begin(destination string, m *metrics.Metrics) {
	for class := twilio.LaterOverload; class <= twilio.LaterUnknown; class++ {
		m.MessagesFailed.WithLabelValues(destination, class.String())
	}
}

// goneFromSource is said where a letter has no event.
const goneFromSource = "the event is no longer in the source topic, so that this letter has no value and can't be replayed"

// why is what happened, in words.
func why(r *Record) string {
	text := "Twilio accepted the message and said later: " + r.Status.String()
	if r.Code == 0 {
		return text
	}
	text += ", code " + strconv.Itoa(r.Code)
	if meaning, _ := twilio.ExplainLater(r.Code); meaning != "" {
		text += ": " + meaning
	}
	return text
}

// originOf is where an event without a messageId appeared first, which is its
// idempotency key; "" for one that has a messageId.
func originOf(recordKey []byte, messageID string) string {
	if messageID != "" {
		return ""
	}
	_, key, _ := bytes.Cut(recordKey, []byte{0})
	return string(key)
}
