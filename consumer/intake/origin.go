package intake

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/deadletter"
)

// Headers of a retry record, beside the event's own.
const (
	headerRetryPrefix    = "engage.retry."
	headerRetryPosition  = "engage.retry.position"         // topic/partition/offset in the source
	headerRetryTimestamp = "engage.retry.record_timestamp" // the source record's, RFC 3339
	headerRetryAction    = "engage.retry.action"
	headerRetryTier      = "engage.retry.tier"     // how many tiers it has been through
	headerRetryAttempts  = "engage.retry.attempts" // over all tiers
	headerRetryNotBefore = "engage.retry.not_before"
	headerRetryFailedAt  = "engage.retry.first_failed_at"
	headerRetryReason    = "engage.retry.reason" // of the last failure
	headerRetryReplay    = "engage.retry.replay" // the replay that it is, as JSON, or notAReplay; earlier versions don't say
)

const notAReplay = "no"

// Origin is where an event comes from and what happened to it so far.
type Origin struct {
	Topic     string
	Partition int
	Offset    int64
	Time      time.Time // the source record's timestamp

	Replay   deadletter.Replayed // when Replayed is set
	Replayed bool

	// Of a retry record only.
	Action        string // the one action it is for; "" in the source
	Tier          int    // tiers it has been through
	Attempts      int
	FirstFailedAt time.Time
	NotBefore     time.Time
}

// SourceOrigin is a source record's, whatever its headers say: whether it is a
// replay isn't theirs to tell.
func SourceOrigin(m *kafka.Message) Origin {
	return Origin{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Time: m.Time}
}

// RetryOrigin reads a retry record's headers; ok is false when they don't say
// where it came from.
func RetryOrigin(m *kafka.Message) (o Origin, ok bool) {
	o = Origin{Time: m.Time}
	told := false // whether it is a replay
	for _, h := range m.Headers {
		if !strings.HasPrefix(h.Key, headerRetryPrefix) {
			continue
		}
		v := string(h.Value)
		switch h.Key {
		case headerRetryPosition:
			o.Topic, o.Partition, o.Offset, ok = parsePosition(v)
		case headerRetryTimestamp:
			setTime(&o.Time, v)
		case headerRetryAction:
			o.Action = v
		case headerRetryTier:
			o.Tier, _ = strconv.Atoi(v)
			o.Tier = max(o.Tier, 0)
		case headerRetryAttempts:
			o.Attempts, _ = strconv.Atoi(v)
		case headerRetryNotBefore:
			setTime(&o.NotBefore, v)
		case headerRetryFailedAt:
			setTime(&o.FirstFailedAt, v)
		case headerRetryReplay:
			told = true
			o.Replayed = v != notAReplay && json.Unmarshal(h.Value, &o.Replay) == nil
		}
	}
	if !told { // an earlier version's, which believed the event's headers
		o.Replay, o.Replayed = deadletter.ParseReplayed(m.Headers)
	}
	return o, ok && o.Action != ""
}

// RetryMessage is the record that brings an event back for one action.
func (o *Origin) RetryMessage(m *kafka.Message, action string, tier int, notBefore time.Time, reason string) kafka.Message {
	headers := make([]kafka.Header, 0, len(m.Headers)+9)
	for _, h := range m.Headers {
		if !strings.HasPrefix(h.Key, headerRetryPrefix) {
			headers = append(headers, h)
		}
	}
	add := func(key, value string) { headers = append(headers, kafka.Header{Key: key, Value: []byte(value)}) }
	add(headerRetryPosition, o.position())
	add(headerRetryTimestamp, o.Time.UTC().Format(time.RFC3339Nano))
	add(headerRetryAction, action)
	add(headerRetryTier, strconv.Itoa(tier))
	add(headerRetryAttempts, strconv.Itoa(o.Attempts))
	add(headerRetryNotBefore, notBefore.UTC().Format(time.RFC3339Nano))
	if !o.FirstFailedAt.IsZero() {
		add(headerRetryFailedAt, o.FirstFailedAt.UTC().Format(time.RFC3339Nano))
	}
	add(headerRetryReason, reason)
	add(headerRetryReplay, o.replay())
	return kafka.Message{Key: m.Key, Value: m.Value, Headers: headers}
}

// replay is the replay that the event is, for its retries: the record of
// replays has confirmed it, which a retry needn't ask again.
func (o *Origin) replay() string {
	if !o.Replayed {
		return notAReplay
	}
	text, _ := json.Marshal(o.Replay) // texts and numbers
	return string(text)
}

// WithoutRetry are the event's own headers.
func WithoutRetry(headers []kafka.Header) []kafka.Header {
	for i := range headers {
		if strings.HasPrefix(headers[i].Key, headerRetryPrefix) {
			own := append([]kafka.Header(nil), headers[:i]...)
			for _, h := range headers[i+1:] {
				if !strings.HasPrefix(h.Key, headerRetryPrefix) {
					own = append(own, h)
				}
			}
			return own
		}
	}
	return headers
}

func (o *Origin) position() string { return deadletter.Origin(o.Topic, o.Partition, o.Offset) }

// IdempotencyKey is the event's identity; see deadletter.EventKey.
func (o *Origin) IdempotencyKey(messageID string) string {
	if o.Replayed && o.Replay.Origin != "" {
		return deadletter.EventKey(messageID, o.Replay.Origin)
	}
	if messageID != "" {
		return deadletter.EventKey(messageID, "") // the position needn't be written
	}
	return o.position()
}

// parsePosition is position's inverse; topics hold no slash.
func parsePosition(s string) (topic string, partition int, offset int64, ok bool) {
	topic, rest, ok1 := strings.Cut(s, "/")
	p, o, ok2 := strings.Cut(rest, "/")
	partition, err1 := strconv.Atoi(p)
	offset, err2 := strconv.ParseInt(o, 10, 64)
	return topic, partition, offset, ok1 && ok2 && err1 == nil && err2 == nil
}

func setTime(t *time.Time, s string) {
	if v, err := time.Parse(time.RFC3339Nano, s); err == nil {
		*t = v
	}
}
