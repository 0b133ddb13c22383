package actions

import (
	"errors"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
	"engage-worker/actions/outcome"
)

// text is a field's template. One that the mapping fixes is compiled once, one
// that depends on the event when it comes, unless it differs from another in
// its data only.
type text struct {
	source   liquid.Source
	template *liquid.Template
}

func (t *text) empty() bool { return t.source.String() == "" }

// compile compiles the text, so that a broken one is found before any event.
func (t *text) compile() (err error) {
	t.template, err = liquid.CompileSource(t.source)
	return err
}

// render renders a field's text with vars.
func (a *action) render(p *payload, field string, t *text, vars any) (string, *Failure) {
	if t.source.AllData() {
		return t.source.String(), nil
	}
	template, code := t.template, "liquid_failed"
	var rendered string
	var err error
	if template == nil {
		if template, err = a.templates.Get(&p.work, &t.source); err != nil {
			code = "invalid_liquid"
		}
	}
	if err == nil {
		rendered, err = template.Render(&p.work, &t.source, vars)
	}
	if err == nil {
		return rendered, nil
	}
	failure := &Failure{Reason: outcome.ReasonTemplateFailed, Code: code, Message: field + ": " + err.Error(), Err: err}
	if _, failure.Retryable = errors.AsType[*liquid.InterruptedError](err); failure.Retryable {
		failure.Code = "interrupted"
	}
	return "", failure
}

// noting are vars that note which outputs come out empty, if somebody asks.
func (p *payload) noting(vars any) any {
	if p.empty == nil {
		return vars
	}
	return liquid.Noting{Vars: vars, Empty: p.empty}
}

// templateVars are what templates can say, used again for each.
type templateVars struct{ root, profile jsvalue.Small }

// ofProfile is what a body's template can say: profile.user_id, profile.phone and
// profile.traits.
func (v *templateVars) ofProfile(userID, phone string, traits any) any {
	p := v.profile.Empty()
	if userID != "" {
		p.Set("user_id", userID)
	}
	p.Set("phone", phone)
	if traits != nil {
		p.Set("traits", withoutNil(traits))
	}
	return v.of(p)
}

// ofTraits is what a content variable can say: profile.traits.
func (v *templateVars) ofTraits(traits any) any {
	p := v.profile.Empty()
	p.Set("traits", traits)
	return v.of(p)
}

func (v *templateVars) of(profile *jsvalue.Object) any {
	root := v.root.Empty()
	root.Set("profile", profile)
	return root
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
