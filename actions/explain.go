package actions

import (
	"context"
	"fmt"
	"strings"

	"engage-worker/actions/outcome"
	"engage-worker/actions/trigger"
)

// Explanation says, for people, why a delivery came out as it did. It shows
// the event's values, numbers and the message: it is for their owner's eyes,
// not for logs.
type Explanation struct {
	Trigger   string    `json:"trigger"`             // what in it decided
	Recipient string    `json:"recipient,omitempty"` // who was chosen and why, or why nobody
	Addresses []Address `json:"addresses,omitempty"` // the event's, in order
	Body      *string   `json:"body,omitempty"`      // rendered
	*Segments           // of an SMS's body
	Template  string    `json:"template,omitempty"` // who renders which content template
	Empty     []string  `json:"empty,omitempty"`    // outputs of templates that came out empty
	Warnings  []Warning `json:"-"`
}

// Address is an external ID and what the action thinks of it.
type Address struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Channel string `json:"channel"`
	Status  string `json:"status"`
	Verdict string `json:"verdict"`
}

// Explain decides the delivery of value, the bytes of an event that Match
// doesn't call malformed, under action i, and says why. Like Prepare it may
// look up, and never sends. The error is Decode's.
func (d *Destination) Explain(ctx context.Context, value []byte, action int) (Delivery, Explanation, error) {
	ev, err := d.Decode(value)
	if err != nil {
		return Delivery{}, Explanation{}, err
	}
	var x Explanation
	if d.actions[action].disabled {
		x.Trigger = "the action is switched off: enabled is false"
		return d.NoMatch(ev, action), x, nil
	}
	parsed, err := trigger.ParseRecord(value)
	if err != nil {
		return Delivery{}, Explanation{}, err
	}
	event, _ := opened(parsed)
	matched := false
	for i := range d.triggers {
		if t := &d.triggers[i]; t.actions&(1<<action) != 0 {
			e := t.trigger.ExplainEvent(event)
			x.Trigger, matched = e.String(), e.Result
		}
	}
	if !matched {
		return d.NoMatch(ev, action), x, nil
	}
	a := d.actions[action]
	made := prepared{payload: payload{empty: &x.Empty}}
	delivery := d.prepare(ctx, ev, a, &made)
	if made.resolved && a.kind != SendMessage {
		x.explainRecipient(a, &made.payload, delivery)
	}
	if delivery.Decision == DecisionSend {
		x.explainContent(a, made.content)
		x.warn(a, made.content)
	}
	if a.kind == SendMessage && delivery.Recipient != "" {
		x.Recipient = delivery.Recipient + ": what the mapping says"
	}
	return delivery, x, nil
}

// PrepareNoting is Prepare, and says what in the delivery is likely not meant.
func (d *Destination) PrepareNoting(ctx context.Context, ev *Event, action int) (Delivery, []Warning) {
	var x Explanation
	made := prepared{payload: payload{empty: &x.Empty}}
	a := d.actions[action]
	delivery := d.prepare(ctx, ev, a, &made)
	if delivery.Decision == DecisionSend {
		x.explainContent(a, made.content)
		x.warn(a, made.content)
	}
	return delivery, x.Warnings
}

// NoMatch is the delivery of an event that action i's trigger doesn't want.
func (d *Destination) NoMatch(ev *Event, action int) Delivery {
	return Delivery{
		Action: d.actions[action].name, Decision: DecisionNoMatch, Reason: outcome.ReasonNoMatch,
		Region: d.region, MessageID: ev.messageID, UserID: ev.userID,
	}
}

func (x *Explanation) explainRecipient(a *action, p *payload, delivery Delivery) {
	chosen := -1
	for i, id := range p.externalIDs {
		verdict := a.verdict(id, p.sendBasedOnOptOut)
		if a.kind.judge(id, p.sendBasedOnOptOut) == subscribed && id.id != "" && chosen < 0 {
			chosen = i
		}
		x.Addresses = append(x.Addresses, Address{id.id, id.kind, id.channelType, id.status, verdict})
	}
	switch {
	case p.toNumber != "":
		x.Recipient = fmt.Sprintf("%s: mapping.toNumber overrides subscriptions and send", p.toNumber)
	case !p.send:
		x.Recipient = "none: mapping.send is not true for this event"
	case chosen >= 0:
		x.Recipient = fmt.Sprintf("%s: the first subscribed address with an id (externalIds[%d])", p.externalIDs[chosen].id, chosen)
	case len(p.externalIDs) == 0:
		x.Recipient = "none: mapping.externalIds has no addresses for this event"
	default:
		x.Recipient = fmt.Sprintf("none: %s", strings.ReplaceAll(delivery.Reason.String(), "_", " "))
	}
}

// verdict says what the action thinks of an address.
func (a *action) verdict(id externalID, optOut bool) string {
	switch a.kind.judge(id, optOut) {
	case subscribed:
		if id.id == "" {
			return "subscribed, but it has no id"
		}
		if id.status == "" {
			return "no status, which sendBasedOnOptOut takes for subscribed"
		}
		return "subscribed"
	case notSubscribed:
		if id.status == "" {
			return "not subscribed: it has no status"
		}
		return "not subscribed"
	case invalidStatus:
		return "the status is none of subscribed, true, unsubscribed, false"
	}
	if id.kind != "phone" {
		return `not for this channel: the type is not "phone"`
	}
	if a.kind == SendWhatsApp {
		return "not for this channel: WhatsApp takes the channelType whatsapp only"
	}
	return "not for this channel: SMS takes the channelType sms, or none"
}

func (x *Explanation) explainContent(a *action, c content) {
	switch {
	case c.sid != "":
		x.Template = c.sid + ": Twilio renders it"
		return
	case c.fetched != "":
		x.Template = c.fetched + ": fetched and rendered here"
	}
	x.Body = &c.body
	if a.kind == SendSMS {
		s := countSegments(c.body)
		x.Segments = &s
	}
}
