package actions

import (
	"context"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
	"engage-worker/actions/mapping"
	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// content is what a message says: rendered here, or a template's SID and
// variables, which Twilio renders.
type content struct {
	body      string
	media     []string
	sid       string
	variables string // JSON, or ""
	fetched   string // the SID of the template that body and media are from, or ""
}

// smsContent makes an SMS's content. A content template is rendered here too,
// unless the mapping has variables for it, which Twilio is left to fill in.
func (a *action) smsContent(ctx context.Context, p *payload, to string) (content, *Failure) {
	if p.body.empty() && p.contentSID == "" {
		return content{}, fail(outcome.ReasonNoContent, "no_content", "neither mapping.body nor mapping.contentSid has a value for this event")
	}
	if p.contentSID != "" && p.contentVariables != nil {
		return a.variablesAsTheyAre(p)
	}
	traits, failure := a.traits(ctx, p)
	if failure != nil {
		return content{}, failure
	}
	body, media := &p.body, p.media
	if p.contentSID != "" {
		if body, media, failure = a.fetchContent(ctx, p); failure != nil {
			return content{}, failure
		}
	}
	c, failure := a.renderContent(p, body, media, p.noting(p.vars.ofProfile(p.userID, to, traits)))
	c.fetched = p.contentSID
	return c, failure
}

// traits are the profile's: the event's, or the Profile API's.
func (a *action) traits(ctx context.Context, p *payload) (any, *Failure) {
	if p.traitEnrichment {
		if p.traits == nil {
			return jsvalue.NewObject(0), nil
		}
		return p.traits, nil
	}
	if p.userID == "" {
		return nil, fail(outcome.ReasonProfileLookupFailed, "no_user_id", "traits are looked up (traitEnrichment is false), but mapping.userId has no value for this event")
	}
	traits, err := a.profiles.Traits(ctx, p.userID)
	if err != nil {
		return nil, failedLookup(outcome.ReasonProfileLookupFailed, "profile", err)
	}
	return traits, nil
}

// fetchContent is a content template's first form, which is the one that the
// hosted destination uses.
func (a *action) fetchContent(ctx context.Context, p *payload) (*text, []text, *Failure) {
	template, err := a.contents.Get(ctx, p.contentURL, p.contentSID)
	if err != nil {
		return nil, nil, failedLookup(outcome.ReasonContentTemplateFailed, "content_template", err)
	}
	if len(template.Types) == 0 {
		return nil, nil, fail(outcome.ReasonContentTemplateFailed, "no_content_types", "the content template has no types")
	}
	form := template.Types[0]
	if form.Name != "twilio/text" && form.Name != "twilio/media" {
		return nil, nil, fail(outcome.ReasonContentTemplateFailed, "unsupported_content_type",
			"an SMS can't show the type %q; it shows twilio/text and twilio/media, others when the mapping has contentVariables", form.Name)
	}
	if form.Malformed {
		return nil, nil, fail(outcome.ReasonContentTemplateFailed, "malformed_content_type", "the content template's %s is not a text and a list of addresses", form.Name)
	}
	media := make([]text, len(form.Media))
	for i, source := range form.Media {
		media[i].source = liquid.Fixed(source)
	}
	return &text{source: liquid.Fixed(form.Body)}, media, nil
}

// renderContent renders a body and its media.
func (a *action) renderContent(p *payload, body *text, media []text, vars any) (content, *Failure) {
	var c content
	var failure *Failure
	if !body.empty() {
		if c.body, failure = a.render(p, "body", body, vars); failure != nil {
			return content{}, failure
		}
	}
	if len(media) > 0 {
		c.media = make([]string, len(media))
		for i := range media {
			if c.media[i], failure = a.render(p, "media", &media[i], vars); failure != nil {
				return content{}, failure
			}
		}
	}
	return c, checkLimits(c.body, c.media)
}

// variablesAsTheyAre leaves a content template to Twilio.
func (a *action) variablesAsTheyAre(p *payload) (content, *Failure) {
	variables := mapping.Plain(p.contentVariables)
	if failure := checkVariables(variables); failure != nil {
		return content{}, failure
	}
	return content{sid: p.contentSID, variables: jsvalue.Encode(variables)}, nil
}

// form is the first part of a message's form, in the hosted destination's
// order. An SMS has its links shortened.
func (c *content) form(t ActionType, from, to string) []twilio.FormValue {
	form := make([]twilio.FormValue, 0, 7+len(c.media)) // with Tags and StatusCallback
	if c.sid != "" {
		form = append(form, twilio.FormValue{Name: "ContentSid", Value: c.sid})
	} else {
		form = append(form, twilio.FormValue{Name: "Body", Value: c.body})
	}
	form = append(form, twilio.FormValue{Name: "From", Value: from}, twilio.FormValue{Name: "To", Value: to})
	if c.variables != "" {
		form = append(form, twilio.FormValue{Name: "ContentVariables", Value: c.variables})
	}
	if t == SendSMS {
		form = append(form, twilio.FormValue{Name: "ShortenUrls", Value: "true"})
	}
	for _, url := range c.media {
		form = append(form, twilio.FormValue{Name: "MediaUrl", Value: url})
	}
	return form
}
