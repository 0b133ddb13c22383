package actions

import (
	"context"
	"strings"
	"sync"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// Prepare decides the delivery of ev under action i. It may look up a
// profile or a content template; ctx bounds that. It never sends.
func (d *Destination) Prepare(ctx context.Context, ev *Event, action int) Delivery {
	made := workplaces.Get().(*prepared)
	delivery := d.prepare(ctx, ev, d.actions[action], made)
	*made = prepared{}
	workplaces.Put(made)
	return delivery
}

// workplaces are for what a delivery is made of, which nothing of it refers to.
var workplaces = sync.Pool{New: func() any { return new(prepared) }}

// prepared is what a delivery was made of, for Explain.
type prepared struct {
	payload  payload
	resolved bool // there is a payload
	content  content
}

// prepare is the way of one event under one action:
// mapping, recipient, content, form.
func (d *Destination) prepare(ctx context.Context, ev *Event, a *action, made *prepared) Delivery {
	delivery := Delivery{Action: a.name, Purpose: a.purpose, Region: d.region, MessageID: ev.messageID, UserID: ev.userID}
	p := &made.payload
	if failure := a.resolve(ctx, ev.root, p); failure != nil {
		return delivery.fail(failure)
	}
	made.resolved = true
	if a.disabled {
		return delivery.skip(outcome.ReasonSendDisabled)
	}
	apiURL := d.route(p)
	delivery.Region = p.region
	if a.kind == SendMessage {
		return d.prepareMessage(a, p, apiURL, delivery, made)
	}
	if a.kind == SendWhatsApp && p.contentSID == "" && p.body.empty() {
		return delivery.fail(fail(outcome.ReasonNoContent, "no_content", "neither mapping.contentSid nor mapping.body has a value for this event"))
	}

	to, reason := choose(a.kind, p)
	if reason != outcome.ReasonNone {
		return delivery.skip(reason)
	}
	delivery.Recipient = to.id
	number, failure := a.number(to.id)
	if failure != nil {
		return delivery.fail(failure)
	}
	delivery.Recipient = number

	var c content
	if a.kind == SendWhatsApp {
		c, failure = a.whatsAppContent(ctx, p, to.id)
	} else {
		c, failure = a.smsContent(ctx, p, to.id)
	}
	if failure != nil {
		if failure.Reason == outcome.ReasonProfileLookupFailed || failure.Reason == outcome.ReasonContentTemplateFailed {
			d.log.Debug().Str("destination", d.name).Str("action", a.name).Str("code", failure.Code).
				Bool("retryable", failure.Retryable).Msg(failure.Message)
		}
		return delivery.fail(failure)
	}
	made.content = c

	form := append(c.form(a.kind, p.from, number), twilio.FormValue{Name: "Tags", Value: tags(p.customArgs, to)})
	if d.callback != nil {
		form = append(form, twilio.FormValue{Name: "StatusCallback", Value: d.callback.url(p.customArgs, to.id)})
	}
	delivery.Decision = DecisionSend
	delivery.Message = &twilio.Message{
		BaseURL: apiURL, To: number, From: p.from, Body: c.body, HasLink: hasLink(c.body), Form: form, Account: d.settings.TwilioAccountSID,
	}
	return delivery
}

func (d Delivery) fail(f *Failure) Delivery {
	d.Decision, d.Reason, d.Failure = DecisionFail, f.Reason, f
	return d
}

func (d Delivery) skip(reason outcome.Reason) Delivery {
	d.Decision, d.Reason = DecisionSkip, reason
	return d
}

// number is the recipient as Twilio gets it.
func (a *action) number(id string) (string, *Failure) {
	if a.kind == SendWhatsApp {
		number, err := whatsAppNumber(id)
		if err != nil {
			return "", &Failure{
				Reason: outcome.ReasonInvalidRecipient, Code: "invalid_phone",
				Message: "the recipient " + twilio.Mask(id) + " can't be made an international number: " + err.Error(), Err: err,
			}
		}
		return number, nil
	}
	number, err := smsNumber(id)
	if err != nil {
		return "", &Failure{
			Reason: outcome.ReasonInvalidRecipient, Code: "invalid_phone",
			Message: "the recipient can't be a number: " + err.Error(), Err: err,
		}
	}
	return number, nil
}

// route settles the delivery's region, and with it where its requests go. A
// region that only an event names is the destination's own.
func (d *Destination) route(p *payload) (apiURL string) {
	e, ok := d.endpoints[p.region]
	if !ok {
		if p.region != "" {
			d.strangers.met(d, p.region)
		}
		p.region = d.region
		e = d.endpoints[d.region]
	}
	p.contentURL = e.content
	return e.api
}

// hasLink reports whether a body holds a link that Twilio may shorten.
func hasLink(body string) bool {
	for at := 0; ; {
		i := strings.Index(body[at:], "://")
		if i < 0 {
			return false
		}
		before := body[max(0, at+i-5) : at+i]
		if n := len(before); n >= 4 && strings.EqualFold(before[n-4:], "http") || strings.EqualFold(before, "https") {
			return true
		}
		at += i + 3
	}
}
