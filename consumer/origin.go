package consumer

import (
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
)

// origin is where an event comes from and what happened to it so far.
type origin struct {
	topic     string
	partition int
	offset    int64
	time      time.Time // the source record's timestamp

	replay   deadletter.Replayed // when replayed is set
	replayed bool

	// Of a retry record only.
	action        string // the one action it is for; "" in the source
	tier          int    // tiers it has been through
	attempts      int
	firstFailedAt time.Time
	notBefore     time.Time
}

// sourceOrigin is a source record's.
func sourceOrigin(m *kafka.Message) origin {
	o := origin{topic: m.Topic, partition: m.Partition, offset: m.Offset, time: m.Time}
	if len(m.Headers) > 0 {
		o.replay, o.replayed = deadletter.ParseReplayed(m.Headers)
	}
	return o
}

// retryOrigin reads a retry record's headers; ok is false when they don't say
// where it came from.
func retryOrigin(m *kafka.Message) (o origin, ok bool) {
	o = origin{time: m.Time}
	for _, h := range m.Headers {
		if !strings.HasPrefix(h.Key, headerRetryPrefix) {
			continue
		}
		v := string(h.Value)
		switch h.Key {
		case headerRetryPosition:
			o.topic, o.partition, o.offset, ok = parsePosition(v)
		case headerRetryTimestamp:
			setTime(&o.time, v)
		case headerRetryAction:
			o.action = v
		case headerRetryTier:
			o.tier, _ = strconv.Atoi(v)
			o.tier = max(o.tier, 0)
		case headerRetryAttempts:
			o.attempts, _ = strconv.Atoi(v)
		case headerRetryNotBefore:
			setTime(&o.notBefore, v)
		case headerRetryFailedAt:
			setTime(&o.firstFailedAt, v)
		}
	}
	o.replay, o.replayed = deadletter.ParseReplayed(m.Headers)
	return o, ok && o.action != ""
}

// retryMessage is the record that brings an event back for one action.
func (o *origin) retryMessage(m *kafka.Message, action string, tier int, notBefore time.Time, reason string) kafka.Message {
	headers := make([]kafka.Header, 0, len(m.Headers)+8)
	for _, h := range m.Headers {
		if !strings.HasPrefix(h.Key, headerRetryPrefix) {
			headers = append(headers, h)
		}
	}
	add := func(key, value string) { headers = append(headers, kafka.Header{Key: key, Value: []byte(value)}) }
	add(headerRetryPosition, o.position())
	add(headerRetryTimestamp, o.time.UTC().Format(time.RFC3339Nano))
	add(headerRetryAction, action)
	add(headerRetryTier, strconv.Itoa(tier))
	add(headerRetryAttempts, strconv.Itoa(o.attempts))
	add(headerRetryNotBefore, notBefore.UTC().Format(time.RFC3339Nano))
	if !o.firstFailedAt.IsZero() {
		add(headerRetryFailedAt, o.firstFailedAt.UTC().Format(time.RFC3339Nano))
	}
	add(headerRetryReason, reason)
	return kafka.Message{Key: m.Key, Value: m.Value, Headers: headers}
}

// withoutRetry are the event's own headers.
func withoutRetry(headers []kafka.Header) []kafka.Header {
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

func (o *origin) position() string { return deadletter.Origin(o.topic, o.partition, o.offset) }

// idempotencyKey is the event's messageId, or where it appeared first.
func (o *origin) idempotencyKey(messageID string) string {
	switch {
	case messageID != "":
		return messageID
	case o.replayed && o.replay.Origin != "":
		return o.replay.Origin
	default:
		return o.position()
	}
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
