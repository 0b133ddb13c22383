package actions

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
	"engage-worker/actions/trigger"
)

// Warning is something that is likely not meant, in a definition that compiles
// or in a delivery.
type Warning struct {
	Path    string // as a Fault's; in a delivery, as in the mapping
	Message string // holds no secret
	WayOut  string
}

// Warnings are those of a definition. They err on the side of silence.
func Warnings(def Definition) []Warning {
	w := warner{}
	w.settings(&def.Settings)
	w.twins(def.Actions)
	for i, a := range def.Actions {
		w.action(fmt.Sprintf("actions[%d]", i), a)
	}
	return w.warnings
}

type warner struct{ warnings []Warning }

func (w *warner) warn(path, message, wayOut string) {
	w.warnings = append(w.warnings, Warning{path, message, wayOut})
}

func (w *warner) action(path string, a ActionDefinition) {
	for _, message := range trigger.Warnings(cmp.Or(a.Trigger, DefaultTrigger)) {
		w.warn(path+".trigger", message, "preview --explain shows what decides for an event")
	}
	if a.LiquidFromEvents {
		w.warn(path+".liquidFromEvents", "is true: what stands in an event is rendered as a template, so whoever can write into one, as with a first name, can read the profile that it is rendered with",
			"put the template into the mapping, and what events hold into its variables")
	}
	path += ".mapping"
	w.fields(path, a)
	for _, name := range slices.Sorted(maps.Keys(a.Mapping)) {
		w.misplaced(join(path, name), a.Mapping[name])
	}
	if _, asks := a.Mapping["subscriptionStatus"]; a.Type == SendMessage && !asks {
		w.warn(path, "has no subscriptionStatus: the message goes to everybody whom the trigger wants", "map it, and only who is subscribed gets it")
	}
	if a.Type != SendSMS && a.Type != SendWhatsApp {
		return
	}
	w.templates(path, a)
}

// templates looks at what the action renders as Liquid.
func (w *warner) templates(path string, a ActionDefinition) {
	body, _ := a.Mapping["body"].(string)
	w.template(path+".body", body, "phone", "traits", "user_id")
	if a.Type == SendSMS {
		if message, wayOut, ok := costly(textOf(body), strings.Contains(body, "{")); ok {
			w.warn(path+".body", message, wayOut)
		}
	}
	switch media := a.Mapping["media"].(type) {
	case string:
		w.template(path+".media", media, "phone", "traits", "user_id")
	case []any:
		for i, source := range media {
			text, _ := source.(string)
			w.template(fmt.Sprintf("%s.media[%d]", path, i), text, "phone", "traits", "user_id")
		}
	}
	if enriched, fixed := a.Mapping["traitEnrichment"].(bool); a.Type == SendWhatsApp && (enriched || !fixed) {
		for name, value := range jsvalue.All(a.Mapping["contentVariables"]) {
			source, _ := value.(string)
			w.template(join(path+".contentVariables", name), source, "traits")
		}
	}
}

// template warns of variables that a template never has. known are the members
// of profile, which is all that there is.
func (w *warner) template(path, source string, known ...string) {
	compiled, err := liquid.Compile(source)
	if err != nil {
		return // a fault
	}
	said := map[string]bool{}
	for _, r := range compiled.References() {
		if r.Keys[0] == "profile" && (len(r.Keys) == 1 || slices.Contains(known, r.Keys[1])) || said[r.Text] {
			continue
		}
		said[r.Text] = true
		place := ""
		if r.Line > 1 {
			place = fmt.Sprintf(" (line %d of it)", r.Line)
		}
		w.warn(path, fmt.Sprintf("%s%s is empty for every event: a template has profile.%s only", r.Text, place, strings.Join(known, ", profile.")),
			wayOutOf(r))
	}
}

// wayOutOf is what was likely meant by a variable that there isn't.
func wayOutOf(r liquid.Reference) string {
	if bare := strings.Trim(r.Text, "‘’“”„"); bare != r.Text {
		return "write '" + bare + "' with plain quotes for that text"
	}
	way := "write profile.traits." + r.Keys[len(r.Keys)-1] + " for a trait"
	if len(r.Keys) == 1 {
		way += ", '" + r.Text + "' for that text"
	}
	return way
}

var placeholder = regexp.MustCompile(`\{\{\{?\s*profile\.`)

// misplaced warns of a template's variables where the event is what counts.
func (w *warner) misplaced(path string, value any) {
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			w.misplaced(fmt.Sprintf("%s[%d]", path, i), item)
		}
		return
	case *jsvalue.Object, map[string]any:
	default:
		return
	}
	for name, inner := range jsvalue.All(value) {
		source, _ := inner.(string)
		if name == "@template" && placeholder.MatchString(source) || name == "@liquid" && readsProfile(source) ||
			name == "@path" && strings.HasPrefix(strings.TrimPrefix(source, "$."), "profile.") {
			w.warn(join(path, name), "profile is empty for every event: a directive reads the event, which has none",
				"write properties.NAME or traits.NAME here, or the template without "+name)
			continue
		}
		w.misplaced(join(path, name), inner)
	}
}

// readsProfile reports whether the template of a @liquid directive reads
// profile.
func readsProfile(source string) bool {
	compiled, err := liquid.CompileDirective(source)
	return err == nil && slices.ContainsFunc(compiled.References(), func(r liquid.Reference) bool { return r.Keys[0] == "profile" })
}

var markup = regexp.MustCompile(`(?s)\{\{.*?\}\}|\{%.*?%\}`)

// textOf is what a template says apart from its variables.
func textOf(source string) string { return markup.ReplaceAllString(source, "") }

// lookalikes are what editors and word processors write for what is in GSM-7,
// and what stands there as well.
var lookalikes = map[rune]string{
	'‘': "'", '’': "'", '‚': "'", '`': "'", '´': "'", '“': `"`, '”': `"`, '„': `"`, '‐': "-", '‑': "-", '–': "-", '—': "-", '−': "-",
	'…': "...", '•': "*", '\t': " ", '\u00a0': " ", '\u2009': " ", '\u202f': " ", '\u200b': "", '\ufeff': "", '\u200d': "", '\u00ad': "",
}

// costly reports a body that one character, or lookalikes alone, make UCS-2.
// more tells that variables are still to come.
func costly(body string, more bool) (message, wayOut string, ok bool) {
	var foreign []rune
	similar := true
	replaced := strings.Map(func(r rune) rune {
		if strings.ContainsRune(gsmBasic, r) || strings.ContainsRune(gsmExtended, r) {
			return r
		}
		if !slices.Contains(foreign, r) && r != '\ufe0f' {
			foreign = append(foreign, r)
			_, known := lookalikes[r]
			similar = similar && known
		}
		return 'x'
	}, body)
	if len(foreign) == 0 || len(foreign) > 1 && !similar {
		return "", "", false
	}
	place := slices.Index([]rune(body), foreign[0]) + 1
	var shown, better []string
	for _, r := range foreign {
		shown = append(shown, showRune(r))
		better = append(better, fmt.Sprintf("%q", lookalikes[r]))
	}
	segments, without := countSegments(body).Segments, countSegments(replaced).Segments
	costs := fmt.Sprintf("%s instead of %d", plural(segments, "segment"), without)
	if segments == without {
		costs = plural(segments, "segment") + " either way"
	}
	message = fmt.Sprintf("%s (character %d) makes the SMS UCS-2, with 70 characters a segment instead of 160: %s", strings.Join(shown, " "), place, costs)
	if more {
		message += ", not counting what variables hold"
	}
	if similar {
		return message, "write " + strings.Join(better, " ") + " in its place", true
	}
	return message, "leave it out, if it isn't worth that", true
}

// showRune is a character as people see it, or its number.
func showRune(r rune) string {
	if better, known := lookalikes[r]; known && strings.TrimSpace(better) == "" {
		return fmt.Sprintf("%U", r)
	}
	return string(r)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// warn notes in an explanation what is likely not meant in a delivery.
func (x *Explanation) warn(a *action, c content) {
	for _, output := range x.Empty {
		x.Warnings = append(x.Warnings, Warning{"mapping", "{{ " + output + " }} came out empty", "give it a default: {{ " + output + " | default: 'there' }}"})
	}
	if x.Body != nil && strings.Contains(c.body, "[object Object]") {
		x.Warnings = append(x.Warnings, Warning{"mapping.body", "says [object Object]: a variable holds several values", "name the one that is meant, such as profile.traits.first_name"})
	}
	if x.Body == nil || a.kind != SendSMS {
		return
	}
	if message, wayOut, ok := costly(c.body, false); ok {
		x.Warnings = append(x.Warnings, Warning{"mapping.body", message, wayOut})
	}
}
