package actions

import (
	"fmt"
	"strings"
	"time"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/outcome"
)

// The names that the hosted destination gives channels, kinds of senders and
// the content that isn't a template.
const (
	channelSMS       = "SMS"
	channelMMS       = "MMS"
	channelWhatsApp  = "Whatsapp"
	channelMessenger = "Messenger"
	channelRCS       = "RCS"

	senderNumber    = "Phone number"
	senderService   = "Messaging Service"
	senderMessenger = "Messenger Sender ID"
	senderPage      = "Facebook Page ID" // the newer name of the same

	contentInline = "Inline"
)

// messageFields are the fields that a sendMessage has alone, resolved for one
// event.
type messageFields struct {
	channel, senderType, contentType string
	toMessenger, fromMessenger       string
	service                          string
	templateMedia                    []string
	variables                        any // an object, or nil
	validityPeriod                   float64
	sendAt                           string
	tags                             any // an object, or nil
	status                           string
}

// maxValidityPeriod is Twilio's, in seconds.
const maxValidityPeriod = 14_400

// messageTable is the fields of the hosted Twilio Messaging destination, in
// the names of its older and newer versions, except for subscriptionStatus and
// region, which are this worker's.
func messageTable() []field {
	return []field{
		{id: fieldChannel, name: "channel", kind: kindString},
		{id: fieldSenderType, name: "senderType", kind: kindString},
		{id: fieldContentType, name: "contentTemplateType", kind: kindString},
		{id: fieldToNumber, name: "toPhoneNumber", kind: kindString},
		{id: fieldToMessenger, name: "toMessengerPageUserId", kind: kindString},
		{id: fieldToMessenger, name: "toMessengerUserId", kind: kindString},
		{id: fieldFrom, name: "fromPhoneNumber", kind: kindString},
		{id: fieldFromMessenger, name: "fromMessengerSenderId", kind: kindString},
		{id: fieldFromMessenger, name: "fromFacebookPageId", kind: kindString},
		{id: fieldService, name: "messagingServiceSid", kind: kindString},
		{id: fieldContentSID, name: "contentSid", kind: kindString},
		{id: fieldContentVariables, name: "contentVariables", kind: kindObject},
		{id: fieldTemplateMedia, name: "mediaUrls", kind: kindURLs},
		{id: fieldBody, name: "inlineBody", kind: kindText},
		{id: fieldMedia, name: "inlineMediaUrls", kind: kindTexts},
		{id: fieldInlineVariables, name: "inlineVariables", kind: kindObject},
		{id: fieldValidityPeriod, name: "validityPeriod", kind: kindNumber},
		{id: fieldSendAt, name: "sendAt", kind: kindTime},
		{id: fieldTags, name: "tags", kind: kindObject},
		{id: fieldStatus, name: "subscriptionStatus", kind: kindString},
		{id: fieldRegion, name: "region", kind: kindString},
	}
}

// text is where a field that is a text has its place, or nil.
func (m *messageFields) text(id fieldID) *string {
	switch id {
	case fieldChannel:
		return &m.channel
	case fieldSenderType:
		return &m.senderType
	case fieldContentType:
		return &m.contentType
	case fieldToMessenger:
		return &m.toMessenger
	case fieldFromMessenger:
		return &m.fromMessenger
	case fieldService:
		return &m.service
	case fieldStatus:
		return &m.status
	}
	return nil
}

// wrongField is what is wrong with a field: of the mapping when nothing of an
// event is in it, else of the event.
type wrongField struct {
	field, message string
	reason         outcome.Reason
	code           string
}

func (w *wrongField) failure() *Failure {
	return fail(w.reason, w.code, "mapping.%s %s", w.field, w.message)
}

// recipient is who a message goes to, as Twilio gets it.
func (m *messageFields) recipient(number string) (string, *wrongField) {
	wrong := func(field, message string) (string, *wrongField) {
		return "", &wrongField{field, message, outcome.ReasonInvalidRecipient, "invalid_recipient"}
	}
	number = jsvalue.Trim(number)
	switch m.channel {
	case channelSMS, channelMMS, channelRCS:
		if !isE164(number) && !isShortCode(number) {
			return wrong("toPhoneNumber", "is neither a number in E.164 (+15551234567) nor a short code")
		}
		return number, nil
	case channelWhatsApp:
		if !isE164(number) {
			return wrong("toPhoneNumber", "is not a number in E.164 (+15551234567)")
		}
		return "whatsapp:" + number, nil
	case channelMessenger:
		id := jsvalue.Trim(m.toMessenger)
		if id == "" {
			return wrong("toMessengerPageUserId", "is empty: the channel Messenger needs the user's id")
		}
		return "messenger:" + id, nil
	}
	return "", &wrongField{
		"channel", fmt.Sprintf("is %q; there are SMS, MMS, Whatsapp, Messenger and RCS", m.channel), outcome.ReasonMappingFailed, "invalid_channel",
	}
}

// sender is who a message comes from: a number, a Messenger page, or a
// messaging service.
func (m *messageFields) sender(number string) (from string, wrong *wrongField) {
	is := func(field, message string) (string, *wrongField) {
		return "", &wrongField{field, message, outcome.ReasonMappingFailed, "invalid_sender"}
	}
	if m.channel == channelRCS && m.senderType != senderService {
		return is("senderType", "must be Messaging Service for the channel RCS")
	}
	switch m.senderType {
	case senderNumber:
		if number = jsvalue.Trim(number); !isE164(number) {
			return is("fromPhoneNumber", "is not a number in E.164 (+15551234567)")
		}
		if m.channel == channelWhatsApp {
			return "whatsapp:" + number, nil
		}
		return number, nil
	case senderMessenger, senderPage:
		id := jsvalue.Trim(m.fromMessenger)
		if id == "" {
			return is("fromMessengerSenderId", "is empty: the sender type "+m.senderType+" needs it")
		}
		return "messenger:" + id, nil
	case senderService:
		if from = bracketed(m.service); !isHexSID("MG", from) {
			return is("messagingServiceSid", "is not a messaging service: want MG and 32 hexadecimal digits")
		}
		return from, nil
	}
	return is("senderType", fmt.Sprintf("is %q; there are Phone number, Messaging Service and Messenger Sender ID", m.senderType))
}

// template is the SID of the content template, or "".
func (p *payload) template() (sid string, wrong *wrongField) {
	if sid = bracketed(p.contentSID); sid != "" && !isHexSID("HX", sid) {
		return "", &wrongField{
			"contentSid", "is not a content template: want HX and 32 hexadecimal digits", outcome.ReasonMappingFailed, "invalid_content_sid",
		}
	}
	return sid, nil
}

// bracketed is what stands in brackets, as the hosted destination's lists
// show it: "Marketing [MG...]"; or all of s.
func bracketed(s string) string {
	if _, after, ok := strings.Cut(s, "["); ok {
		if inside, _, ok := strings.Cut(after, "]"); ok {
			return inside
		}
	}
	return s
}

func isE164(s string) bool {
	return len(s) >= 3 && len(s) <= 16 && s[0] == '+' && s[1] != '0' && digits(s[1:])
}

func isShortCode(s string) bool {
	return (len(s) == 5 || len(s) == 6) && s[0] != '0' && digits(s)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func isHexSID(prefix, s string) bool {
	hex, ok := strings.CutPrefix(s, prefix)
	return ok && len(hex) == 32 && strings.Trim(hex, "0123456789abcdefABCDEF") == ""
}

// toNumber is v as a number from least to most.
func toNumber(v any, least, most float64) (float64, error) {
	var n float64
	switch x := jsvalue.Of(single(v)).(type) {
	case float64, bool, string:
		n = jsvalue.Number(x)
	default:
		return 0, wrongType("a number", v)
	}
	if !(n >= least && n <= most) { // nor what isn't a number
		return 0, fmt.Errorf("should be a number from %g to %g", least, most)
	}
	return n, nil
}

// toTime is v as a time with a zone, as it is written (RFC 3339).
func toTime(v any) (string, error) {
	text, err := toString(v)
	if err != nil || text == "" {
		return "", err
	}
	// Twilio takes what ISO 8601 leaves open: a space for the T, an offset
	// without its colon or minutes.
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07"} {
		if _, err := time.Parse(layout, strings.Replace(strings.ToUpper(text), " ", "T", 1)); err == nil {
			return text, nil
		}
	}
	return "", fmt.Errorf("should be a date and a time with a zone, such as 2026-12-01T10:00:00Z")
}

// toURLs is v as the addresses of a list of objects.
func toURLs(v any) ([]string, error) {
	list := toList(v, func(item any) bool { return jsvalue.Nullish(item) || item == "" })
	var urls []string
	for i, item := range list {
		if !jsvalue.IsObject(item) {
			return nil, fmt.Errorf("item %d %w", i, wrongType("an object", item))
		}
		url, err := stringMember(item, "url")
		if err != nil {
			return nil, fmt.Errorf("item %d: url %w", i, err)
		}
		if url == "" {
			return nil, fmt.Errorf("item %d: url is required", i)
		}
		urls = append(urls, url)
	}
	return urls, nil
}
