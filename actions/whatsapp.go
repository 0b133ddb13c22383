package actions

import (
	"context"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/mapping"
)

// whatsAppContent makes a WhatsApp message's content: a template, or a plain
// body for a conversation inside the 24-hour window.
func (a *action) whatsAppContent(ctx context.Context, p *payload, to string) (content, *Failure) {
	if p.contentSID == "" {
		traits, failure := a.traits(ctx, p)
		if failure != nil {
			return content{}, failure
		}
		return a.renderContent(p, &p.body, p.media, p.noting(p.vars.ofProfile(p.userID, to, traits)))
	}
	switch {
	case p.contentVariables == nil:
		return content{sid: p.contentSID}, nil
	case !p.traitEnrichment:
		// Whoever turned enrichment off has filled them in already.
		return a.variablesAsTheyAre(p)
	case p.traits == nil:
		return content{sid: p.contentSID}, nil
	}
	vars := p.noting(p.vars.ofTraits(p.traits))
	rendered := jsvalue.NewObject(jsvalue.Len(p.contentVariables))
	for name, value := range jsvalue.All(p.contentVariables) {
		if value == nil {
			return content{}, emptyVariable(name) // rather than the text "null"
		}
		t, ok := a.variables[name]
		if !ok {
			t = &text{source: mapping.TextOf(value, a.trusting)}
		}
		variable, failure := a.render(p, "content variable "+name, t, vars)
		if failure != nil {
			return content{}, failure
		}
		if variable != "" {
			rendered.Set(name, variable)
		}
	}
	return content{sid: p.contentSID, variables: jsvalue.Encode(rendered)}, nil
}
