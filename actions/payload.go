package actions

import (
	"context"
	"errors"
	"fmt"

	"engage-worker/actions/liquid"
	"engage-worker/actions/mapping"
	"engage-worker/actions/outcome"
)

// payload is a mapping resolved for one event. Strings that are missing are
// empty: the hosted destination doesn't tell them apart.
type payload struct {
	userID            string
	toNumber          string
	from              string
	body              text
	media             []text
	contentSID        string
	contentVariables  any // an object, or nil; its texts are templates
	customArgs        any // an object, or nil
	send              bool
	traitEnrichment   bool
	sendBasedOnOptOut bool
	externalIDs       []externalID
	traits            any // an object, or nil
	region            string
	message           messageFields

	// These are no fields.
	contentURL string        // of the Content API
	work       liquid.Budget // what may still be rendered
	vars       templateVars  // what the templates are rendered with
	empty      *[]string     // takes the outputs of templates that come out empty; nil: nobody asks
}

// set puts what a field resolved to in its place. Fields that nothing is made
// of are checked only.
//
// Fields that are templates are set to what mapping.Value.ResolveTemplate
// returns or, when events are trusted to hold templates, Resolve.
func (p *payload) set(id fieldID, kind fieldKind, v any, trusting bool) error {
	var err error
	switch kind {
	case kindString:
		var text string
		if text, err = toString(v); err == nil {
			p.setString(id, text)
		}
	case kindText:
		var source liquid.Source
		if source, err = toSource(v, trusting); err == nil {
			p.body = text{source: source}
		}
	case kindBool:
		if v == "" {
			return nil
		}
		var on bool
		if on, err = toBool(v); err != nil {
			return err
		}
		switch id {
		case fieldSend:
			p.send = on
		case fieldTraitEnrichment:
			p.traitEnrichment = on
		case fieldSendBasedOnOptOut:
			p.sendBasedOnOptOut = on
		}
	case kindObject, kindTextObject:
		var object any
		if object, err = toObject(v); err != nil {
			return err
		}
		switch id {
		case fieldContentVariables:
			p.contentVariables = object
		case fieldCustomArgs:
			p.customArgs = object
		case fieldTraits:
			p.traits = object
		case fieldInlineVariables:
			p.message.variables = object
		case fieldTags:
			p.message.tags = object
		}
	case kindURLs:
		p.message.templateMedia, err = toURLs(v)
	case kindNumber:
		if v != nil && v != "" {
			p.message.validityPeriod, err = toNumber(v, 1, maxValidityPeriod)
		}
	case kindTime:
		p.message.sendAt, err = toTime(v)
	case kindTexts:
		p.media, err = toTexts(v, trusting)
	case kindExternalIDs:
		p.externalIDs, err = toExternalIDs(v)
	}
	return err
}

func (p *payload) setString(id fieldID, text string) {
	switch id {
	case fieldUserID:
		p.userID = text
	case fieldToNumber:
		p.toNumber = text
	case fieldFrom:
		p.from = text
	case fieldContentSID:
		p.contentSID = text
	case fieldRegion:
		p.region = text
	default:
		if to := p.message.text(id); to != nil {
			*to = text
		}
	}
}

// resolve makes p what the action's mapping makes of an event.
func (a *action) resolve(ctx context.Context, event any, p *payload) *Failure {
	empty := p.empty
	*p = a.static
	p.empty = empty
	p.work.Reset(ctx)
	for i := range a.dynamic {
		f := &a.dynamic[i]
		if f.kind == kindString {
			if text, ok := f.value.Text(event); ok {
				p.setString(f.id, text)
				continue
			}
		}
		resolve := f.value.Resolve
		if f.kind.isTemplate() && !a.trusting {
			resolve = f.value.ResolveTemplate
		}
		v, defined, err := resolve(&p.work, event)
		if err != nil {
			path := f.name
			if failed, ok := errors.AsType[*mapping.ResolveError](err); ok {
				path, err = join(f.name, failed.Path), failed.Err
			}
			failure := &Failure{
				Reason: outcome.ReasonMappingFailed, Code: "directive_failed",
				Message: fmt.Sprintf("mapping.%s: %v", path, err), Err: err,
			}
			_, failure.Retryable = errors.AsType[*liquid.InterruptedError](err)
			return failure
		}
		if !defined {
			continue
		}
		if err := p.set(f.id, f.kind, v, a.trusting); err != nil {
			return &Failure{
				Reason: outcome.ReasonMappingFailed, Code: "invalid_field",
				Message: fmt.Sprintf("mapping.%s %v", f.name, err), Err: err,
			}
		}
	}
	if p.from == "" && a.kind != SendMessage {
		return &Failure{
			Reason: outcome.ReasonMappingFailed, Code: "missing_from",
			Message: "mapping.from is empty for this event: a message needs a sender",
		}
	}
	return nil
}

// join puts the path inside a field behind the field's name.
func join(name, path string) string {
	if path == "" || path[0] == '[' || path[0] == '.' {
		return name + path
	}
	return name + "." + path
}
