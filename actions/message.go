package actions

import (
	"slices"
	"strings"
	"unicode/utf8"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/actions/weburl"
)

// prepareMessage decides the delivery of a sendMessage, whose payload has been
// resolved: consent, recipient, sender, content, form.
func (d *Destination) prepareMessage(a *action, p *payload, apiURL string, delivery Delivery, made *prepared) Delivery {
	m := &p.message
	if reason := a.consent(m.status); reason != outcome.ReasonNone {
		return delivery.skip(reason)
	}
	to, wrong := m.recipient(p.toNumber)
	if wrong != nil {
		return delivery.fail(wrong.failure())
	}
	delivery.Recipient = to
	from, wrong := m.sender(p.from)
	if wrong != nil {
		return delivery.fail(wrong.failure())
	}
	c, failure := p.messageContent()
	if failure != nil {
		return delivery.fail(failure)
	}
	made.content = c
	form, failure := p.messageForm(&c, from, to)
	if failure != nil {
		return delivery.fail(failure)
	}
	if d.callback != nil {
		form = append(form, twilio.FormValue{Name: "StatusCallback", Value: d.callback.url(nil, to)})
	}
	delivery.Decision = DecisionSend
	delivery.Message = &twilio.Message{BaseURL: apiURL, To: to, From: from, Body: c.body, HasLink: hasLink(c.body), Form: form, Account: d.settings.TwilioAccountSID}
	return delivery
}

// consent says why a message isn't sent for what subscriptionStatus resolved
// to. Without that field the hosted destination asks nobody.
func (a *action) consent(status string) outcome.Reason {
	if !a.asksConsent {
		return outcome.ReasonNone
	}
	switch judgeStatus(status, false) {
	case subscribed:
		return outcome.ReasonNone
	case invalidStatus:
		return outcome.ReasonInvalidSubscriptionStatus
	default:
		return outcome.ReasonNotSubscribed
	}
}

// messageContent is what a message says: a text with variables, or a content
// template.
func (p *payload) messageContent() (content, *Failure) {
	m := &p.message
	sid, wrong := p.template()
	if wrong != nil {
		return content{}, wrong.failure()
	}
	var c content
	inline := m.contentType == contentInline
	if inline {
		media := slices.DeleteFunc(slices.Clone(p.media), func(t text) bool { return jsvalue.Trim(t.source.String()) == "" })
		if len(media) > maxMedia {
			return content{}, tooManyMedia(len(media))
		}
		for i := range media {
			c.media = append(c.media, fill(&media[i].source, m.variables))
		}
	} else {
		c.media = m.templateMedia
	}
	switch {
	case inline && !p.body.empty():
		c.body = fill(&p.body.source, m.variables)
	case sid != "":
		if failure := checkVariables(p.contentVariables); failure != nil {
			return content{}, failure
		}
		c.sid = sid
		if jsvalue.Len(p.contentVariables) > 0 {
			c.variables = jsvalue.Encode(p.contentVariables)
		}
	case inline && len(c.media) > 0: // a picture alone
	case inline:
		return content{}, fail(outcome.ReasonNoContent, "no_content", "neither mapping.inlineBody nor mapping.inlineMediaUrls has a value for this event")
	default:
		return content{}, fail(outcome.ReasonNoContent, "no_content", "mapping.contentSid has no value for this event")
	}
	return c.checked()
}

// checked is a content that Twilio may take.
func (c content) checked() (content, *Failure) {
	if len(c.media) > maxMedia {
		return content{}, tooManyMedia(len(c.media))
	}
	media := make([]string, len(c.media))
	for i, url := range c.media {
		url = jsvalue.Trim(url)
		if _, err := weburl.Parse(url); err != nil && url != "" {
			return content{}, &Failure{
				Reason: outcome.ReasonContentRejected, Code: "invalid_media", Message: "the address of a medium is no URL: " + err.Error(), Err: err,
			}
		}
		media[i] = url
	}
	c.media = media
	return c, checkLimits(c.body, c.media)
}

// maxFilled is where filling in stops, in bytes: a text of this length has
// more than maxBody characters.
const maxFilled = (maxBody + 1) * utf8.UTFMax

// fill replaces each {{name}} by the variable of that name, or by nothing, as
// the hosted destination does. Neither what it puts in nor what is data is read
// for names. It stops when the text is longer than Twilio takes.
func fill(source *liquid.Source, variables any) string {
	var b strings.Builder
	// Names are found in text, where data can't be told apart, and are read in whole.
	text, whole := source.Masked(), source.String()
	for b.Len() < maxFilled {
		start := strings.Index(text, "{{")
		if start < 0 {
			break
		}
		size := strings.Index(text[start+2:], "}}")
		if size < 0 {
			break
		}
		end := start + 2 + size
		name := whole[start+2 : end]
		b.WriteString(whole[:start])
		if strings.ContainsAny(name, "\n\r\u2028\u2029") { // names end with their line
			b.WriteByte('{')
			text, whole = text[start+1:], whole[start+1:]
			continue
		}
		if value, _ := jsvalue.Get(variables, name); !jsvalue.Nullish(value) {
			b.WriteString(jsvalue.String(value))
		}
		text, whole = text[end+2:], whole[end+2:]
	}
	b.WriteString(whole)
	return b.String()
}

// messageForm is a message's form, in the hosted destination's order.
func (p *payload) messageForm(c *content, from, to string) ([]twilio.FormValue, *Failure) {
	m := &p.message
	form := make([]twilio.FormValue, 0, 10+len(c.media))
	add := func(name, value string) { form = append(form, twilio.FormValue{Name: name, Value: value}) }
	add("To", to)
	if m.sendAt != "" {
		add("SendAt", m.sendAt)
		if m.senderType == senderService { // who alone can be scheduled
			add("ScheduleType", "fixed")
		}
	}
	if m.validityPeriod != 0 {
		add("ValidityPeriod", jsvalue.FormatNumber(m.validityPeriod))
	}
	if m.senderType == senderService {
		add("MessagingServiceSid", from)
	} else {
		add("From", from)
	}
	switch {
	case c.sid != "":
		add("ContentSid", c.sid)
		if c.variables != "" {
			add("ContentVariables", c.variables)
		}
	case !p.body.empty():
		add("Body", c.body)
	}
	for _, url := range c.media {
		add("MediaUrl", url)
	}
	labels, wrong := m.labels()
	if wrong != nil {
		return nil, wrong.failure()
	}
	if labels != nil {
		add("Tags", jsvalue.Encode(labels))
	}
	return form, nil
}

// maxTags and maxTag are Twilio's limits of a message's tags: how many, and
// how long a name or value.
const (
	maxTags = 10
	maxTag  = 128
)

// labels is the tags without the empty ones; nil for none.
func (m *messageFields) labels() (*jsvalue.Object, *wrongField) {
	wrong := func(message string) (*jsvalue.Object, *wrongField) {
		return nil, &wrongField{"tags", message, outcome.ReasonMappingFailed, "invalid_tags"}
	}
	ok := func(s string) bool {
		return s != "" && len(s) <= maxTag && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-") == ""
	}
	labels := jsvalue.NewObject(0)
	for name, value := range jsvalue.All(m.tags) {
		if jsvalue.Nullish(value) || jsvalue.Trim(jsvalue.String(value)) == "" {
			continue
		}
		if _, list := value.([]any); list || jsvalue.IsObject(value) {
			return wrong("has a tag that is a list or an object")
		}
		text := jsvalue.Trim(jsvalue.String(value))
		if !ok(name) || !ok(text) {
			return wrong("has a tag that Twilio doesn't take: names and values are 1 to 128 letters of ASCII, digits, spaces, _ and -")
		}
		labels.Set(name, text)
	}
	switch n := labels.Len(); {
	case n > maxTags:
		return wrong("has more than 10 tags, which is what Twilio takes")
	case n == 0:
		return nil, nil
	}
	return labels, nil
}

// compileMessage reports what of a sendMessage would fail with every event.
func (c *actionCompiler) compileMessage() {
	a := c.a
	fixed := func(ids ...fieldID) bool {
		return !slices.ContainsFunc(ids, a.isDynamic)
	}
	report := func(wrong *wrongField) bool {
		if wrong != nil {
			c.fault(wrong.field, "%s", wrong.message)
		}
		return wrong != nil
	}
	m := &a.static.message
	if fixed(fieldChannel, fieldToNumber, fieldToMessenger) {
		_, wrong := m.recipient(a.static.toNumber)
		report(wrong)
	} else if fixed(fieldChannel) {
		if _, wrong := m.recipient(""); wrong != nil && wrong.field == "channel" {
			report(wrong)
		}
	}
	if fixed(fieldChannel, fieldSenderType, fieldFrom, fieldFromMessenger, fieldService) {
		_, wrong := m.sender(a.static.from)
		report(wrong)
	} else if fixed(fieldSenderType) {
		if _, wrong := m.sender(""); wrong != nil && wrong.field == "senderType" {
			report(wrong)
		}
	}
	if fixed(fieldContentType) && m.contentType == "" {
		c.fault("contentTemplateType", "is required: Inline, or the type of the content template")
	} else if fixed(fieldContentType, fieldBody, fieldContentSID, fieldMedia, fieldTemplateMedia, fieldContentVariables, fieldInlineVariables) {
		if _, failure := a.static.messageContent(); failure != nil {
			c.fault("", "%s", failure.Message)
		}
	}
	if fixed(fieldTags) {
		_, wrong := m.labels()
		report(wrong)
	}
}
