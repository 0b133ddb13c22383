package twilio

import (
	"cmp"
	"slices"

	"engage-worker/actions/outcome"
)

// class groups Twilio's error codes by what a message that met one needs.
type class uint8

const (
	classOther class = iota
	classOptedOut
	classRecipient
	classAccount
	classSender
	classContent
	classThrottle
	classAmbiguous
)

// outcome is what an answer below 500 with a code of this class means.
func (c class) outcome() (outcome.Kind, outcome.Reason) {
	switch c {
	case classOptedOut:
		return outcome.Refused, outcome.ReasonOptedOut
	case classRecipient:
		return outcome.Refused, outcome.ReasonRecipientRejected
	case classAccount:
		return outcome.Refused, outcome.ReasonAccountRejected
	case classSender:
		return outcome.Refused, outcome.ReasonSenderRejected
	case classContent:
		return outcome.Refused, outcome.ReasonContentRejected
	case classThrottle:
		return outcome.Throttled, outcome.ReasonRateLimited
	case classAmbiguous:
		return outcome.Ambiguous, outcome.ReasonOutcomeUnknown
	}
	return outcome.Refused, outcome.ReasonTwilioRejected
}

// remedy is what mends most errors of a class.
func (c class) remedy() string {
	switch c {
	case classOptedOut:
		return "Nothing to mend: the person said no. Mark them unsubscribed where the audience is made; don't replay."
	case classRecipient:
		return "Correct or remove the number on the profile; replay only with a corrected number."
	case classAccount:
		return "Have the Twilio account's owner change its permissions or upgrade it, then replay."
	case classSender:
		return "Correct the sender or the credentials in the destination's settings or mapping, then replay."
	case classContent:
		return "Correct the body, media or template in the mapping or at Twilio; a replay sends what the event makes of the corrected one."
	case classThrottle:
		return "Replay later, or lower the region's rate below what the sender may carry."
	case classAmbiguous:
		return "Look the message up in Twilio's console before replaying: it may have been sent."
	}
	return "Look the code up in Twilio's error dictionary before replaying."
}

// code is one of Twilio's error codes.
type code struct {
	number  int
	class   class
	meaning string
	remedy  string // "" where the class's fits
}

// find is the entry of a code, or nil.
func find(number int) *code {
	i, ok := slices.BinarySearchFunc(codes[:], number, func(c code, n int) int { return cmp.Compare(c.number, n) })
	if !ok {
		return nil
	}
	return &codes[i]
}

func classOf(number int) class {
	if c := find(number); c != nil {
		return c.class
	}
	return classOther
}

// Explain says for people what one of Twilio's error codes means and what
// usually mends it. An unknown code gets an empty meaning and a way to go on.
func Explain(number int) (meaning, remedy string) {
	c := find(number)
	if c == nil {
		return "", classOther.remedy()
	}
	if c.remedy != "" {
		return c.meaning, c.remedy
	}
	return c.meaning, c.class.remedy()
}

// codes is sorted by number. The classes are what the worker does about a
// code. The meanings put Twilio's error dictionary plainly; where its entry
// wasn't at hand (21702, 21705, 21709, 63017, 63029, 63033, 63034, 63119 and
// 92001 to 92007), they say no more than the class does.
var codes = [...]code{
	{14107, classThrottle, "Too many messages in a short time for this sender.", ""},
	{20003, classSender, "Twilio doesn't accept the API key.", "Check twilioAccountSID, twilioApiKeySID and twilioApiKeySecret, and that the key was made in the processing region in use: keys of one region are strangers in another."},
	{20404, classSender, "The account, or another resource in the request, doesn't exist.", "Check twilioAccountSID, and that the account's region is the one in use; then replay."},
	{20429, classThrottle, "Too many requests at once for the account.", "Replay later; lower the region's rate or maxInFlight if it keeps happening."},
	{20500, classAmbiguous, "Twilio failed internally; it may have sent the message nevertheless.", ""},
	{20503, classAmbiguous, "Twilio was unavailable for a while; it may have sent the message nevertheless.", ""},
	{21211, classRecipient, "The recipient is not a valid phone number.", ""},
	{21212, classSender, "The sender is not a valid phone number, sender id or messaging service.", ""},
	{21214, classRecipient, "The recipient's number can't be reached.", ""},
	{21217, classRecipient, "The recipient's number doesn't look like a phone number.", ""},
	{21219, classAccount, "The recipient's number isn't verified, as a trial account demands.", "Upgrade the trial account, or verify the number at Twilio; then replay."},
	{21266, classRecipient, "The recipient is the sender itself.", ""},
	{21408, classAccount, "The account may not send to the recipient's country.", "Enable the country under Messaging, Geographic permissions, in Twilio's console; then replay."},
	{21601, classSender, "The sender's number can't send this kind of message.", "Use a number of the account that can do SMS or MMS, then replay."},
	{21602, classContent, "The message has no body.", ""},
	{21603, classSender, "The request names no sender.", "Set from in the mapping, then replay."},
	{21604, classRecipient, "The request names no recipient.", ""},
	{21606, classSender, "The sender is not a number of this account that can send to this recipient.", "Use a number of the account that can send to the recipient's country, then replay."},
	{21608, classAccount, "A trial account sends to verified numbers only.", "Upgrade the trial account, or verify the number at Twilio; then replay."},
	{21609, classContent, "The status callback is not a valid URL.", "Correct webhookUrl in the destination's settings, then replay."},
	{21610, classOptedOut, "The recipient has unsubscribed from this sender (STOP).", ""},
	{21611, classThrottle, "The sender's queue at Twilio is full.", "Replay later; use more senders, or lower the region's rate."},
	{21612, classRecipient, "Twilio has no route from this sender to this recipient.", "Check that the recipient's country and channel can be reached from the sender; then replay."},
	{21614, classRecipient, "The recipient's number is no mobile number.", ""},
	{21617, classContent, "The body is longer than 1,600 characters.", "Shorten the body, or the traits that it is filled with; then replay."},
	{21619, classContent, "The message has neither a body nor media.", ""},
	{21620, classContent, "A media URL is not valid.", "Correct the mapping's media: full http or https URLs that Twilio can fetch; then replay."},
	{21621, classContent, "The sender or the destination doesn't support the media.", ""},
	{21623, classContent, "The message has more media than allowed (10).", "Remove media from the mapping, then replay."},
	{21624, classContent, "A medium is of a type that can't be sent.", ""},
	{21654, classContent, "The content template's SID is missing or doesn't fit the request.", "Correct contentSid in the mapping, then replay."},
	{21655, classContent, "The content template's SID is not valid.", "Correct contentSid in the mapping: it must exist in this account and region; then replay."},
	{21656, classContent, "The content variables are not valid.", "Give every placeholder of the template a value that is not empty, then replay."},
	{21659, classSender, "The sender is no phone number or short code of Twilio's.", ""},
	{21660, classSender, "The sender's number doesn't belong to this account.", ""},
	{21701, classSender, "The messaging service doesn't exist.", "Correct from (MG...): the service must exist in this account and region; then replay."},
	{21702, classSender, "The messaging service can't be used as it is set up.", "Check the service's settings in Twilio's console, then replay."},
	{21703, classSender, "The messaging service has no sender for this recipient.", "Add a sender for the recipient's country to the service's pool, then replay."},
	{21704, classSender, "The messaging service's pool of senders is empty.", "Add a sender to the service's pool, then replay."},
	{21705, classSender, "The messaging service isn't valid for this message.", "Check the service's settings in Twilio's console, then replay."},
	{21709, classSender, "The messaging service's sender can't be used.", "Check the service's pool of senders in Twilio's console, then replay."},
	{30001, classThrottle, "The sender's queue at Twilio overflowed.", ""},
	{30007, classContent, "The carrier or Twilio filtered the message as unwanted.", "Review the content against the carriers' rules and the sender's registration; a replay of the same text meets the same filter."},
	{30017, classThrottle, "The carrier's network is congested.", "Replay later."},
	{30019, classContent, "The message is larger than the carrier takes.", "Use smaller media, then replay."},
	{30022, classThrottle, "The sender's registered (A2P 10DLC) throughput is used up.", "Replay later; lower the region's rate, or have the campaign's throughput raised."},
	{30032, classSender, "The toll-free number isn't verified.", "Complete the number's verification at Twilio, or use another sender; then replay."},
	{30034, classSender, "The US number isn't registered for A2P 10DLC.", "Register the number with a campaign at Twilio, or use another sender; then replay."},
	{63002, classSender, "The channel doesn't know the sender.", "Check the WhatsApp sender in Twilio's console, then replay."},
	{63003, classRecipient, "The channel doesn't know the recipient: the number may have no WhatsApp.", ""},
	{63005, classContent, "The channel didn't accept the content.", ""},
	{63006, classContent, "The content can't be put into the channel's form.", ""},
	{63007, classSender, "The account has no sender for this channel with this address.", "Check from: a WhatsApp sender that is enabled in this account; then replay."},
	{63013, classContent, "The message breaks the channel's policy.", "Review the content against WhatsApp's policy; don't replay it unchanged."},
	{63016, classContent, "Free text outside WhatsApp's 24-hour window.", "Send an approved template (contentSid) instead; free text is taken only within 24 hours of the person's last message."},
	{63017, classThrottle, "The channel's rate is used up.", ""},
	{63018, classThrottle, "The channel's rate for this sender is used up.", ""},
	{63019, classContent, "The channel couldn't fetch the media.", "Check that the media URLs are public and quick, then replay."},
	{63020, classSender, "The WhatsApp business account isn't accepted.", "Check the business account's state and invitations with Meta and Twilio, then replay."},
	{63021, classContent, "The channel found the content invalid.", ""},
	{63024, classRecipient, "The channel can't deliver to this recipient.", ""},
	{63027, classContent, "The template doesn't exist in this language.", "Have the template approved in the language, or use another; then replay."},
	{63028, classContent, "The number of variables isn't the template's.", "Correct contentVariables in the mapping, then replay."},
	{63029, classContent, "The recipient's device couldn't take the template.", ""},
	{63030, classContent, "The template has a parameter that isn't supported.", ""},
	{63033, classRecipient, "The recipient doesn't accept messages from this sender on this channel.", "Nothing to mend here: the person must write first or resubscribe."},
	{63034, classContent, "The media don't fit the channel's limits.", "Use smaller media or another type, then replay."},
	{63040, classContent, "WhatsApp rejected the template.", "Correct the template and have it approved, then replay."},
	{63041, classContent, "WhatsApp paused the template for low quality.", "Improve the template or wait until it is resumed, then replay."},
	{63042, classContent, "WhatsApp disabled the template.", "Use another template, then replay."},
	{63119, classThrottle, "The channel asks to send more slowly.", ""},
	{92001, classContent, "The content template isn't valid.", ""},
	{92002, classContent, "The content template isn't valid.", ""},
	{92003, classContent, "The content template isn't valid.", ""},
	{92004, classContent, "The content template isn't valid.", ""},
	{92005, classContent, "The content template isn't valid.", ""},
	{92006, classContent, "The content template isn't valid.", ""},
	{92007, classContent, "The content template isn't valid.", ""},
}
