package actions

import (
	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
	"engage-worker/actions/outcome"
)

// text is a field's template. One that the mapping fixes is compiled once,
// one that comes from an event when it comes.
type text struct {
	source   string
	template *liquid.Template
}

// newText compiles source.
func newText(source string) (text, error) {
	template, err := liquid.Compile(source)
	return text{source, template}, err
}

// render renders source with vars. fixed is what the mapping fixed, if it did.
func (a *action) render(field, source string, fixed *text, vars any) (string, *Failure) {
	var template *liquid.Template
	if fixed != nil && fixed.template != nil && fixed.source == source {
		template = fixed.template
	} else {
		var err error
		if template, err = a.templates.Get(source); err != nil {
			return "", &Failure{Reason: outcome.ReasonTemplateFailed, Code: "invalid_liquid", Message: field + ": " + err.Error(), Err: err}
		}
	}
	rendered, err := template.Render(vars)
	if err != nil {
		return "", &Failure{Reason: outcome.ReasonTemplateFailed, Code: "liquid_failed", Message: field + ": " + err.Error(), Err: err}
	}
	return rendered, nil
}

// profileVars is what a body's template can say: profile.user_id,
// profile.phone and profile.traits.
func profileVars(userID, phone string, traits any) any {
	p := jsvalue.NewObject(3)
	if userID != "" {
		p.Set("user_id", userID)
	}
	p.Set("phone", phone)
	if traits != nil {
		p.Set("traits", withoutNil(traits))
	}
	return varsOf(p)
}

// traitVars is what a content variable can say: profile.traits.
func traitVars(traits any) any {
	p := jsvalue.NewObject(1)
	p.Set("traits", traits)
	return varsOf(p)
}

func varsOf(profile *jsvalue.Object) any {
	vars := jsvalue.NewObject(1)
	vars.Set("profile", profile)
	return vars
}

// withoutNil empties the traits that upstream systems write as "<nil>".
func withoutNil(traits any) any {
	found := false
	for _, value := range jsvalue.All(traits) {
		if value == "<nil>" {
			found = true
			break
		}
	}
	if !found {
		return traits
	}
	o := jsvalue.NewObject(jsvalue.Len(traits))
	for name, value := range jsvalue.All(traits) {
		if value == "<nil>" {
			value = ""
		}
		o.Set(name, value)
	}
	return o
}
