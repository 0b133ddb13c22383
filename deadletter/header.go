package deadletter

import (
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
)

// Headers of a dead letter. The first six are named as Apache Kafka names
// those of its own dead letters (KIP-1191). All values are UTF-8 text; a
// header whose fact is unknown is absent.
const (
	HeaderTopic         = "__dlq.errors.topic"
	HeaderPartition     = "__dlq.errors.partition"
	HeaderOffset        = "__dlq.errors.offset"
	HeaderGroup         = "__dlq.errors.group"
	HeaderDeliveryCount = "__dlq.errors.delivery.count"
	HeaderMessage       = "__dlq.errors.message"

	HeaderID              = "engage.dlq.id"
	HeaderDestination     = "engage.destination"
	HeaderAction          = "engage.action"
	HeaderReason          = "engage.reason"
	HeaderDisposition     = "engage.disposition"
	HeaderMessageID       = "engage.message_id"
	HeaderUserID          = "engage.user_id"
	HeaderRegion          = "engage.region"
	HeaderRecipient       = "engage.recipient"
	HeaderTwilioCode      = "engage.twilio.code"
	HeaderTwilioStatus    = "engage.twilio.status"
	HeaderTwilioRequestID = "engage.twilio.request_id"
	HeaderTwilioSID       = "engage.twilio.sid"
	HeaderFirstFailedAt   = "engage.first_failed_at"
	HeaderLastFailedAt    = "engage.last_failed_at"
	HeaderRecordTimestamp = "engage.record.timestamp"
	HeaderReplays         = "engage.replays"
	HeaderDoubt           = "engage.doubt"
)

// Headers of a replayed event in the source topic, beside HeaderReplays.
const (
	// HeaderReplayID is the ID of the dead letter that is replayed.
	HeaderReplayID = "engage.replay.id"
	// HeaderReplayDestination is the only destination that handles it.
	HeaderReplayDestination = "engage.replay.destination"
	// HeaderReplayAction is the only action that handles it; absent when
	// the event was malformed, and then all of the destination's do.
	HeaderReplayAction = "engage.replay.action"
	// HeaderReplayOrigin is "topic/partition/offset" of the event's first
	// appearance. It is the idempotency key of an event without a
	// messageId, which must not change with the replay's own position.
	// A dead letter whose event was replayed carries it too.
	HeaderReplayOrigin = "engage.replay.origin"
	// HeaderReplayPlan is the plan that it was replayed by, and
	// HeaderReplayRecord where that is in the record of replays,
	// "partition/offset". Without these it is no replay.
	HeaderReplayPlan   = "engage.replay.plan"
	HeaderReplayRecord = "engage.replay.record"
)

// ours are the names that this package writes. Kept in one switch so that
// looking a name up allocates nothing and is not slowed by the event's
// headers, nearly all of which the prefixes rule out.
func ours(name string) bool {
	if !strings.HasPrefix(name, "engage.") && !strings.HasPrefix(name, "__dlq.errors.") {
		return false
	}
	switch name {
	case HeaderTopic, HeaderPartition, HeaderOffset, HeaderGroup, HeaderDeliveryCount, HeaderMessage,
		HeaderID, HeaderDestination, HeaderAction, HeaderReason, HeaderDisposition, HeaderMessageID,
		HeaderUserID, HeaderRegion, HeaderRecipient, HeaderTwilioCode, HeaderTwilioStatus,
		HeaderTwilioRequestID, HeaderTwilioSID, HeaderFirstFailedAt, HeaderLastFailedAt, HeaderRecordTimestamp, HeaderReplays, HeaderDoubt,
		HeaderReplayID, HeaderReplayDestination, HeaderReplayAction, HeaderReplayOrigin, HeaderReplayPlan, HeaderReplayRecord:
		return true
	}
	return false
}

// Foreign returns the headers that are the event's own: headers itself, or
// the front of it, where ours are all at the end, as Encode leaves them.
func Foreign(headers []kafka.Header) []kafka.Header {
	end := len(headers)
	for end > 0 && ours(headers[end-1].Key) {
		end--
	}
	headers = headers[:end:end]
	if !slices.ContainsFunc(headers, isOurs) {
		return headers
	}
	return slices.DeleteFunc(slices.Clone(headers), isOurs)
}

func isOurs(h kafka.Header) bool { return ours(h.Key) }
