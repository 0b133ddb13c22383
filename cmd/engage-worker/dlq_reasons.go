package main

import (
	"engage-worker/actions/outcome"
	"engage-worker/deadletter"
)

// inWords says for people what a reason means and what usually mends it. ok
// is false for a reason that this version doesn't know.
func inWords(reason string) (means, mend string, ok bool) {
	r, known := outcome.ParseReason(reason)
	if !known {
		return "", "", false
	}
	switch r {
	case outcome.ReasonMalformedEvent:
		return "The record's value is not a JSON object, so it is no event.",
			"Have the producer send JSON objects. A replay fails again: the bytes stay as they are.", true
	case outcome.ReasonMappingFailed:
		return "A directive of the action's mapping can't be worked out for this event.",
			"Correct the mapping (`engage-worker preview` shows what it makes of the event), deploy, then replay.", true
	case outcome.ReasonTemplateFailed:
		return "A Liquid template fails on this event's data.",
			"Correct the template in the mapping, or give what it reads a default, deploy, then replay.", true
	case outcome.ReasonNoContent:
		return "There was nothing to send: no body, no media, no template, or they came out empty.",
			"Give the mapping a body, or its traits a default, deploy, then replay.", true
	case outcome.ReasonInvalidRecipient:
		return "The recipient that the event or mapping chose can't be a phone number at all.",
			"Correct the number where the audience is made, and let the producer send a new event: a replay brings the old number.", true
	case outcome.ReasonContentTemplateFailed:
		return "Twilio's content template couldn't be fetched or isn't of a kind that can be sent.",
			"Check contentSid and the template at Twilio, then replay.", true
	case outcome.ReasonProfileLookupFailed:
		return "The person's profile couldn't be read.",
			"Check profileApiAccessToken, spaceId and the region; when the Profile API is well again, replay.", true
	case outcome.ReasonOptedOut:
		return "The person opted out of messages from this sender.",
			"Nothing to mend: they said no. Mark them unsubscribed where the audience is made; don't replay.", true
	case outcome.ReasonRecipientRejected:
		return "Twilio can't deliver to this recipient.",
			"Correct or remove the number on the profile; a replay brings the old number.", true
	case outcome.ReasonSenderRejected:
		return "Twilio refused the sender or the credentials.",
			"Correct `from`, or the account and API key in the settings, deploy, then replay.", true
	case outcome.ReasonContentRejected:
		return "Twilio refused the body, the media or the template.",
			"Correct it in the mapping or at Twilio, deploy, then replay.", true
	case outcome.ReasonAccountRejected:
		return "The Twilio account may not send this, there or at the moment.",
			"Have the account's owner change its permissions (countries, trial, suspension), then replay.", true
	case outcome.ReasonTwilioRejected:
		return "Twilio refused the request for another reason.",
			"Read the code's meaning and the message, mend what they name, then replay.", true
	case outcome.ReasonRateLimited:
		return "Twilio was asked too fast, and the retries are spent.",
			"Lower the region's rate or have Twilio raise the limit, then replay.", true
	case outcome.ReasonTwilioUnavailable:
		return "Twilio couldn't be reached or failed, and the retries are spent.",
			"When Twilio is well again, replay.", true
	case outcome.ReasonOutcomeUnknown:
		return "The message was sent or not: neither the answer nor Twilio's message list could tell.",
			"Look the recipient up in Twilio's console. Replay (with --ambiguous) only if getting it twice does less harm than not getting it.", true
	case outcome.ReasonNotDelivered:
		return "Twilio accepted the message, and said later that it failed or wasn't delivered.",
			"Read what the code means. Replay (with --undelivered) only what the code says may be replayed.", true
	case outcome.ReasonExpired:
		return "The event was older than delivery.maxEventAge when its turn came.",
			"If the message still makes sense, replay: a replay counts as new.", true
	default:
		return "", "", false // a skip's: those are never dead letters
	}
}

// dispositionInWords says what kind of end it was.
func dispositionInWords(d deadletter.Disposition) string {
	switch d {
	case deadletter.Permanent:
		return "refused for good: it can't work without a change"
	case deadletter.Exhausted:
		return "it might have worked later, but its retries are spent"
	case deadletter.Ambiguous:
		return "sent or not, nobody can tell"
	case deadletter.Expired:
		return "too old"
	case deadletter.Malformed:
		return "no event at all"
	case deadletter.Undelivered:
		return "Twilio accepted the message, and said later that it failed or wasn't delivered"
	default:
		return ""
	}
}
