// Package outcome names what can become of a delivery: the kinds of Twilio's
// answers and the reasons of skips and failures. It is the leaf that the
// packages below actions share.
package outcome

// Kind is the class of what one request's answer means for its delivery.
type Kind uint8

const (
	// Sent: Twilio accepted the message.
	Sent Kind = iota + 1
	// Refused: Twilio refused for good; another attempt can't help.
	Refused
	// Throttled: not processed because of a rate; wait and try again.
	Throttled
	// Unavailable: surely not processed (refused connection, failed
	// DNS or TLS, nothing written); safe to try again.
	Unavailable
	// Ambiguous: may have been processed (timeout or reset after
	// writing, 5xx, an undecodable 201): reconcile before any other attempt.
	Ambiguous
)

func (k Kind) String() string {
	return [...]string{"", "sent", "refused", "throttled", "unavailable", "ambiguous"}[k]
}

// Reason says why a delivery was skipped or failed. Its String is the metric
// label and the dead letter's engage.reason.
type Reason uint8

const (
	ReasonNone Reason = iota

	// Skips.
	ReasonNoMatch
	ReasonNotSubscribed
	ReasonInvalidSubscriptionStatus
	ReasonNoRecipient
	ReasonSendDisabled
	ReasonDuplicate
	ReasonDuplicateDiffers // to somebody else, or with another text, than the message that was sent
	ReasonTombstone

	// Failures.
	ReasonMalformedEvent
	ReasonMappingFailed
	ReasonTemplateFailed
	ReasonNoContent
	ReasonInvalidRecipient
	ReasonContentTemplateFailed
	ReasonProfileLookupFailed
	ReasonOptedOut
	ReasonRecipientRejected
	ReasonSenderRejected
	ReasonContentRejected
	ReasonAccountRejected
	ReasonTwilioRejected
	ReasonRateLimited
	ReasonTwilioUnavailable
	ReasonOutcomeUnknown
	ReasonNotDelivered // after Twilio accepted it
	ReasonExpired
)

var reasonNames = [...]string{
	ReasonNone:                      "",
	ReasonNoMatch:                   "no_match",
	ReasonNotSubscribed:             "not_subscribed",
	ReasonInvalidSubscriptionStatus: "invalid_subscription_status",
	ReasonNoRecipient:               "no_recipient",
	ReasonSendDisabled:              "send_disabled",
	ReasonDuplicate:                 "duplicate",
	ReasonDuplicateDiffers:          "duplicate_differs",
	ReasonTombstone:                 "tombstone",
	ReasonMalformedEvent:            "malformed_event",
	ReasonMappingFailed:             "mapping_failed",
	ReasonTemplateFailed:            "template_failed",
	ReasonNoContent:                 "no_content",
	ReasonInvalidRecipient:          "invalid_recipient",
	ReasonContentTemplateFailed:     "content_template_failed",
	ReasonProfileLookupFailed:       "profile_lookup_failed",
	ReasonOptedOut:                  "opted_out",
	ReasonRecipientRejected:         "recipient_rejected",
	ReasonSenderRejected:            "sender_rejected",
	ReasonContentRejected:           "content_rejected",
	ReasonAccountRejected:           "account_rejected",
	ReasonTwilioRejected:            "twilio_rejected",
	ReasonRateLimited:               "rate_limited",
	ReasonTwilioUnavailable:         "twilio_unavailable",
	ReasonOutcomeUnknown:            "outcome_unknown",
	ReasonNotDelivered:              "not_delivered",
	ReasonExpired:                   "expired",
}

func (r Reason) String() string { return reasonNames[r] }

// ParseReason is String's inverse; ok is false for a name that no reason has.
func ParseReason(name string) (r Reason, ok bool) {
	for i, n := range reasonNames {
		if n == name && i > 0 {
			return Reason(i), true
		}
	}
	return ReasonNone, false
}
