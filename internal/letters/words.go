package letters

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/deadletter"
	"engage-worker/internal/terminal"
)

// Reason says for people what a reason means and what usually mends it. ok
// is false for a reason that this version doesn't know, and for a skip's: those
// are never dead letters.
func Reason(reason string) (means, mend string, ok bool) {
	r, _ := outcome.ParseReason(reason)
	words, ok := map[outcome.Reason][2]string{
		outcome.ReasonMalformedEvent: {"The record's value is not a JSON object, so it is no event.",
			"Have the producer send JSON objects. A replay fails again: the bytes stay as they are."},
		outcome.ReasonMappingFailed: {"A directive of the action's mapping can't be worked out for this event.",
			"Correct the mapping (`engage-worker preview` shows what it makes of the event), deploy, then replay."},
		outcome.ReasonTemplateFailed: {"A Liquid template fails on this event's data.",
			"Correct the template in the mapping, or give what it reads a default, deploy, then replay."},
		outcome.ReasonNoContent: {"There was nothing to send: no body, no media, no template, or they came out empty.",
			"Give the mapping a body, or its traits a default, deploy, then replay."},
		outcome.ReasonInvalidRecipient: {"The recipient that the event or mapping chose can't be a phone number at all.",
			"Correct the number where the audience is made, and let the producer send a new event: a replay brings the old number."},
		outcome.ReasonContentTemplateFailed: {"Twilio's content template couldn't be fetched or isn't of a kind that can be sent.",
			"Check contentSid and the template at Twilio, then replay."},
		outcome.ReasonProfileLookupFailed: {"The person's profile couldn't be read.",
			"Check profileApiAccessToken, spaceId and the region; when the Profile API is well again, replay."},
		outcome.ReasonOptedOut: {"The person opted out of messages from this sender.",
			"Nothing to mend: they said no. Mark them unsubscribed where the audience is made; don't replay."},
		outcome.ReasonRecipientRejected: {"Twilio can't deliver to this recipient.",
			"Correct or remove the number on the profile; a replay brings the old number."},
		outcome.ReasonSenderRejected: {"Twilio refused the sender or the credentials.",
			"Correct `from`, or the account and API key in the settings, deploy, then replay."},
		outcome.ReasonContentRejected: {"Twilio refused the body, the media or the template.",
			"Correct it in the mapping or at Twilio, deploy, then replay."},
		outcome.ReasonAccountRejected: {"The Twilio account may not send this, there or at the moment.",
			"Have the account's owner change its permissions (countries, trial, suspension), then replay."},
		outcome.ReasonTwilioRejected: {"Twilio refused the request for another reason.",
			"Read the code's meaning and the message, mend what they name, then replay."},
		outcome.ReasonRateLimited: {"Twilio was asked too fast, and the retries are spent.",
			"Lower the region's rate or have Twilio raise the limit, then replay."},
		outcome.ReasonTwilioUnavailable: {"Twilio couldn't be reached or failed, and the retries are spent.",
			"When Twilio is well again, replay."},
		outcome.ReasonOutcomeUnknown: {"The message was sent or not: neither the answer nor Twilio's message list could tell.",
			"Look the recipient up in Twilio's console. Replay (with --ambiguous) only if getting it twice does less harm than not getting it."},
		outcome.ReasonNotDelivered: {"Twilio accepted the message, and said later that it failed or wasn't delivered.",
			"Read what the code means. Replay (with --undelivered) only what the code says may be replayed."},
		outcome.ReasonExpired: {"The event was older than delivery.maxEventAge when its turn came.",
			"If the message still makes sense, replay: a replay counts as new."},
	}[r]
	return words[0], words[1], ok
}

// Disposition says what kind of end it was, "" for one that this version doesn't know.
func Disposition(d deadletter.Disposition) string {
	return map[deadletter.Disposition]string{
		deadletter.Permanent:   "refused for good: it can't work without a change",
		deadletter.Exhausted:   "it might have worked later, but its retries are spent",
		deadletter.Ambiguous:   "sent or not, nobody can tell",
		deadletter.Expired:     "too old",
		deadletter.Malformed:   "no event at all",
		deadletter.Undelivered: "Twilio accepted the message, and said later that it failed or wasn't delivered",
	}[d]
}

// State says what a state means.
func State(s deadletter.State) string {
	return map[deadletter.State]string{
		deadletter.StateOpen:        "nothing came after it",
		deadletter.StateReplayed:    "its event was published again, and nothing came of it yet",
		deadletter.StateSkipped:     "it was replayed, and its event isn't to be sent any more",
		deadletter.StateSent:        "Twilio accepted a later attempt",
		deadletter.StateDelivered:   "a later attempt arrived",
		deadletter.StateFailedAgain: "it was replayed and died again",
		deadletter.StateDismissed:   "somebody closed it",
	}[s]
}

// Explanation is a dead letter in words.
type Explanation struct {
	Means string // why it failed
	Code  string // what Twilio's code means; "" where there is none, or nobody knows
	Mend  string // what mends it; "" where nobody knows
	State string
	End   string // the kind of end
}

// Explain puts a dead letter into words.
func Explain(r *deadletter.Record) Explanation {
	means, mend, ok := Reason(r.Reason)
	if !ok {
		means, mend = "This version of engage-worker doesn't know the reason.", ""
	}
	e := Explanation{Means: means, Mend: mend, State: cmp.Or(r.StateWhy, State(r.State)), End: Disposition(r.Disposition)}
	if r.TwilioCode > 0 {
		explain := twilio.Explain
		if r.Disposition == deadletter.Undelivered {
			explain = twilio.ExplainLater
		}
		meaning, remedy := explain(r.TwilioCode)
		e.Code, e.Mend = meaning, cmp.Or(remedy, mend)
	}
	return e
}

// Reasons are those that dead letters have.
func Reasons() (names []string) {
	for r := outcome.ReasonMalformedEvent; r <= outcome.ReasonExpired; r++ {
		names = append(names, r.String())
	}
	return names
}

// passedOver are the words for why a plan passes letters over, in the order in which
// they are told, and what takes such letters in on the command line, if anything.
func passedOver(continues bool, maxReplays int) []passed {
	replayed := passed{deadletter.AlreadyReplayed, "already replayed, and not dead again since", "--again for what came to nothing"}
	if continues {
		replayed = passed{deadletter.AlreadyReplayed, "already replayed, by the interrupted plan or before", ""}
	}
	return []passed{
		{deadletter.AlreadySent, "already sent, says the ledger", ""},
		replayed,
		{deadletter.TooOften, fmt.Sprintf("replayed %d times or more", maxReplays), "--max-replays"},
		{deadletter.MayBeSent, "may have been sent, nobody can tell", "--ambiguous"},
		{deadletter.Forgotten, "may have been sent, and neither the ledger nor Twilio can tell any more", "--even-if-sent"},
		{deadletter.NotDelivered, "accepted by Twilio, and not delivered", "--undelivered"},
		{deadletter.MayHaveArrived, "accepted by Twilio, and may have arrived", "--undelivered and --ambiguous"},
		{deadletter.Unnamed, "opted_out or malformed_event: another attempt does nothing for them; name them", "--reason, or their ids"},
		{deadletter.NoAction, "of an action that the configuration hasn't any more", ""},
		{deadletter.NoMatch, "not wanted by the action's trigger any more", ""},
		{deadletter.Closed, "dismissed", "--state dismissed"},
		{deadletter.OtherSource, "of a topic or destination that isn't configured here", ""},
		{deadletter.TakenByAnother, string(deadletter.TakenByAnother), ""},
		{deadletter.Gone, string(deadletter.Gone), ""},
	}
}

type passed struct {
	why           deadletter.Why
	words, option string
}

// Whys are why a plan passes letters over, in the order in which they are told.
func Whys() (whys []deadletter.Why) {
	for _, p := range passedOver(false, 0) {
		whys = append(whys, p.why)
	}
	return whys
}

// PassedOver says why a plan passes letters over. option is what takes them in
// on the command line; "" where nothing does.
func PassedOver(why deadletter.Why, continues bool, maxReplays int) (words, option string) {
	for _, p := range passedOver(continues, maxReplays) {
		if p.why == why {
			return p.words, p.option
		}
	}
	return string(why), ""
}

// Dismissible reports whether letters in a state can be closed, or with reopen
// opened again.
func Dismissible(s deadletter.State, reopen bool) bool {
	if reopen {
		return s == deadletter.StateDismissed
	}
	return s == deadletter.StateOpen || s == deadletter.StateSkipped || s == deadletter.StateReplayed
}

// Because is what somebody gives as the reason for closing letters, or for opening
// them again, as the record of replays gets it. The error is a sentence without its
// stop.
func Because(text string) (string, error) {
	const longest = 500
	switch text = terminal.Plain(strings.TrimSpace(text)); {
	case text == "":
		return "", errors.New("say why: it stands in the record of replays")
	case utf8.RuneCountInString(text) > longest:
		return "", fmt.Errorf("why has %d characters at most", longest)
	}
	return text, nil
}
