package actions

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
	"engage-worker/actions/mapping"
	"engage-worker/actions/profile"
	"engage-worker/actions/twilio"
)

// action is a compiled action. It is immutable.
type action struct {
	name        string
	formerNames []string
	kind        ActionType
	purpose     Purpose

	disabled    bool
	asksConsent bool // a sendMessage that has a subscriptionStatus

	static  payload        // the fields that no event has a part in
	dynamic []dynamicField // the others, in the order of the table

	variables map[string]*text // those that the mapping fixes
	trusting  bool             // an event's texts are templates too

	templates *liquid.Cache   // of those that depend on events
	profiles  *profile.Client // nil if no traits are looked up
	contents  *twilio.Templates
}

// dynamicField is a field whose value depends on the event.
type dynamicField struct {
	id    fieldID
	kind  fieldKind
	name  string
	value *mapping.Value
}

func (a *action) isDynamic(id fieldID) bool {
	return slices.ContainsFunc(a.dynamic, func(f dynamicField) bool { return f.id == id })
}

// looksUp reports whether the action may ask the Profile API.
func (a *action) looksUp() bool {
	if a.static.traitEnrichment || a.kind == SendMessage {
		return false
	}
	return a.kind == SendSMS || a.mayHave(fieldBody, a.static.body.source.String())
}

// mayHave reports whether a string field can have a value at all.
func (a *action) mayHave(id fieldID, static string) bool {
	return static != "" || a.isDynamic(id)
}

// compileAction compiles def, whose faults have paths that begin with path.
func compileAction(def ActionDefinition, path string) (*action, []Fault) {
	c := actionCompiler{path: path + ".mapping", def: def, fields: fieldTable(def.Type)}
	c.a = &action{name: def.Name, formerNames: def.FormerNames, kind: def.Type, purpose: cmp.Or(def.Purpose, Marketing), disabled: def.Disabled, trusting: def.LiquidFromEvents}
	c.compileFields()
	if len(c.faults) > 0 { // or what follows would repeat them
		return c.a, c.faults
	}
	if def.Type == SendMessage {
		_, c.a.asksConsent = def.Mapping["subscriptionStatus"]
		c.compileMessage()
	} else {
		c.checkContent()
		c.compileTemplates()
	}
	return c.a, c.faults
}

type actionCompiler struct {
	a      *action
	def    ActionDefinition
	path   string
	fields []field
	faults []Fault
}

func (c *actionCompiler) fault(field, format string, args ...any) {
	path := c.path
	if field != "" {
		path = c.path + "." + field
	}
	c.faults = append(c.faults, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

// compileFields compiles what each field is mapped to, or its default.
func (c *actionCompiler) compileFields() {
	known := make(map[string]bool, len(c.fields))
	for i := range c.fields {
		known[c.fields[i].name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.def.Mapping)) {
		if !known[name] {
			c.fault(name, "%s", unknownField(name, c.fields))
		}
	}
	if _, ok := c.def.Mapping["from"]; !ok && c.def.Type != SendMessage {
		c.fault("from", "is required: the number, short code or messaging service (MG...) to send from")
	}
	for i := range c.fields {
		c.compileField(&c.fields[i])
	}
}

func (c *actionCompiler) compileField(f *field) {
	id := f.id
	source, mapped := c.def.Mapping[f.name]
	if !mapped {
		if source = f.def; source == nil {
			return
		}
	}
	compile := mapping.Compile
	if c.a.trusting {
		compile = mapping.CompileTrusting
	}
	value, faults := compile(source)
	for _, fault := range faults {
		c.fault(join(f.name, fault.Path), "%s", fault.Message)
	}
	if value == nil || !c.heeds(id, f) {
		return
	}
	static, template, ok := value.Static()
	if f.kind.isTemplate() {
		static = template
	}
	if !ok {
		c.checkSources(f, value)
		c.a.dynamic = append(c.a.dynamic, dynamicField{id, f.kind, f.name, value})
		return
	}
	if err := c.a.static.set(id, f.kind, static, false); err != nil {
		c.fault(f.name, "%v", err)
		return
	}
	if id == fieldFrom && mapped && c.a.static.from == "" && c.def.Type != SendMessage {
		c.fault(f.name, "is empty: a message needs a sender")
	}
}

// checkSources compiles what a mapping fixes of templates that depend on the
// event, so that a broken one is found now.
func (c *actionCompiler) checkSources(f *field, value *mapping.Value) {
	isLiquid := f.kind.isTemplate() && c.def.Type != SendMessage && (f.kind != kindTextObject || c.def.Type == SendWhatsApp)
	if c.a.trusting || !isLiquid {
		return
	}
	for _, source := range value.Sources() {
		if _, err := liquid.CompileSource(source); err != nil {
			c.fault(f.name, "%v", err)
		}
	}
}

// heeds reports whether the action does anything with a field. WhatsApp needs
// the user only for a plain body, whose template may name it.
func (c *actionCompiler) heeds(id fieldID, f *field) bool {
	if f.only == "" || f.only == c.def.Type {
		return true
	}
	_, body := c.def.Mapping["body"]
	return id == fieldUserID && body
}

// checkContent reports an action that would never have anything to send.
func (c *actionCompiler) checkContent() {
	a := c.a
	if a.mayHave(fieldBody, a.static.body.source.String()) || a.mayHave(fieldContentSID, a.static.contentSID) {
		return
	}
	if a.kind == SendSMS && (len(a.static.media) > 0 || a.isDynamic(fieldMedia)) {
		c.fault("body", "is required beside media: the hosted destination sends no media alone")
		return
	}
	c.fault("", "has nothing to send: set body or contentSid")
}

// compileTemplates compiles the templates that the mapping fixes, so that a
// broken one is found now.
func (c *actionCompiler) compileTemplates() {
	a := c.a
	if a.static.contentSID == "" {
		c.compileBody()
	}
	variables := c.def.Mapping["contentVariables"]
	switch {
	case variables == nil || a.isDynamic(fieldTraitEnrichment):
	case a.kind == SendWhatsApp && a.static.traitEnrichment:
		c.compileVariables(variables)
	case a.static.contentVariables != nil:
		if failure := checkVariables(a.static.contentVariables); failure != nil {
			c.fault("contentVariables", "%s", failure.Message)
		}
	}
}

func (c *actionCompiler) compileBody() {
	body := &c.a.static.body
	if err := body.compile(); err != nil {
		c.fault("body", "%v", err)
	}
	for i := range c.a.static.media {
		if err := c.a.static.media[i].compile(); err != nil {
			c.fault(fmt.Sprintf("media[%d]", i), "%v", err)
		}
	}
}

// compileVariables compiles the variables that are texts; those that
// directives make come with an event.
func (c *actionCompiler) compileVariables(variables any) {
	c.a.variables = map[string]*text{}
	for name, value := range jsvalue.All(variables) {
		source, ok := value.(string)
		if !ok || name[:min(1, len(name))] == "@" {
			continue
		}
		t := &text{source: liquid.Fixed(source)}
		if err := t.compile(); err != nil {
			c.fault("contentVariables."+name, "%v", err)
		}
		c.a.variables[name] = t
	}
}
