package actions

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"engage-worker/actions/weburl"
)

var (
	// notSender are SIDs of what sends nothing.
	notSender = regexp.MustCompile(`^(AC|SK|HX|SM|MM|PN)[0-9A-Za-z]{10,}$`)
	otherSID  = regexp.MustCompile(`^(AC|SK|MG|SM|MM|PN)[0-9A-Za-z]{10,}$`)
	bareLong  = regexp.MustCompile(`^(00)?[1-9][0-9]{8,14}$`)
	// likeSender are numbers, also spaced, short codes, messaging services, and
	// names of up to 11 characters; a channel may stand before them.
	likeSender = regexp.MustCompile(`^([a-z]+:.*|\+[0-9][0-9 ().-]*|[0-9]{3,8}|MG[0-9A-Za-z]{32}|[ &0-9A-Za-z_+-]{1,11})$`)
)

const ofSenders = "give a number (+15551234567), a short code or a messaging service (MG...)"

// from warns of a fixed sender that can't be one.
func (w *warner) from(path string, t ActionType, value any) {
	from, ok := value.(string)
	if number, isNumber := value.(float64); isNumber {
		from, ok = strconv.FormatFloat(number, 'f', -1, 64), true
	}
	switch {
	case !ok || from == "" || strings.Contains(from, "{{"): // said otherwise
	case notSender.MatchString(from):
		what := map[string]string{
			"AC": "an account, which sends nothing", "SK": "an API key, which sends nothing", "HX": "a content template, which sends nothing",
			"PN": "a number, which sends by its digits",
		}[from[:2]]
		w.warn(path, fmt.Sprintf("%s... is the SID of %s", from[:2], cmp.Or(what, "a message, which sends nothing")), ofSenders)
	case bareLong.MatchString(from):
		w.warn(path, "is a number without its plus", "write \"+"+strings.TrimPrefix(from, "00")+"\" if it is a number with its country")
	case t == SendSMS && strings.HasPrefix(from, "whatsapp:"):
		w.warn(path, "is a sender of WhatsApp in an SMS, which Twilio refuses (21910)", "leave whatsapp: out, or have the type sendWhatsApp")
	case !likeSender.MatchString(from), from[0] == '+' && strings.ContainsFunc(from, unicode.IsLetter):
		w.warn(path, "is neither a number, a short code, a messaging service nor a name of up to 11 letters and digits", ofSenders)
	}
}

// fields warns of fixed values of a mapping that do what is seldom meant.
func (w *warner) fields(path string, a ActionDefinition) {
	from := "from"
	if a.Type == SendMessage {
		from = "fromPhoneNumber"
	}
	w.from(path+"."+from, a.Type, a.Mapping[from])
	if sid, ok := a.Mapping["contentSid"].(string); ok && otherSID.MatchString(sid) {
		w.warn(path+".contentSid", fmt.Sprintf("%s... is no content template's SID", sid[:2]), "give one that begins with HX")
	}
	if fmt.Sprint(a.Mapping["send"]) == "false" {
		w.warn(path+".send", "is false for every event, so that nothing is sent", "take it out, or say enabled: false of the action if that is meant")
	}
	for _, name := range []string{"toNumber", "toPhoneNumber"} {
		if to, ok := a.Mapping[name].(string); ok && strings.Trim(to, "+0123456789 ()-.") == "" && to != "" {
			w.warn(join(path, name), "is fixed: every event's message goes to that one number, whoever is subscribed", "take it out, once you have tried it")
		}
	}
	for _, f := range fieldTable(a.Type) {
		if text, ok := a.Mapping[f.name].(string); ok {
			w.fixed(path+"."+f.name, f.kind, text)
		}
	}
	w.media(path, a)
}

var (
	pathAsText = regexp.MustCompile(`^\$\.[A-Za-z_@]\S*$`)
	// foreign are the placeholders of other programs' templates.
	foreign = regexp.MustCompile(`(?:^|[^{])(\{[A-Za-z_][\w.]*\})(?:[^}]|$)|(\[[A-Za-z]+[_.][\w.]*\])|(%[A-Za-z]+_\w*%)|(\*\|\w+\|\*)|(<<\w+>>)|(?i)([\[%](?:first|last)?name[\]%])`)
)

// fixed warns of a fixed text that stands for something else elsewhere.
func (w *warner) fixed(path string, kind fieldKind, text string) {
	switch found := foreign.FindStringSubmatch(text); {
	case pathAsText.MatchString(text):
		w.warn(path, "is the text "+strconv.Quote(text)+" itself", `write {"@path": "`+text+`"} for what the event has there`)
	case kind == kindString && strings.Contains(text, "{{"):
		w.warn(path, "is no template, so that {{ stays as it is", `write {"@template": "..."} around it, which takes the event's fields`)
	case kind == kindText && strings.TrimSpace(text) == "" && text != "":
		w.warn(path, "holds nothing but spaces, and Twilio refuses an empty message", "write what is to be sent")
	case kind == kindText && found != nil:
		placeholder := cmp.Or(found[1:]...)
		w.warn(path, placeholder+" is sent as it stands", "write {{ profile.traits.NAME }} for a trait")
	case kind == kindText && utf8.RuneCountInString(textOf(text)) > maxBody:
		w.warn(path, fmt.Sprintf("has more than %d characters, which Twilio refuses", maxBody), "make it shorter")
	}
}

// media warns of fixed media that Twilio refuses.
func (w *warner) media(path string, a ActionDefinition) {
	name := "media"
	if a.Type == SendMessage {
		name = "inlineMediaUrls"
	}
	list, _ := a.Mapping[name].([]any)
	if text, ok := a.Mapping[name].(string); ok {
		list = []any{text}
	}
	if len(list) > maxMedia {
		w.warn(path+"."+name, fmt.Sprintf("%d media are more than Twilio takes, %d", len(list), maxMedia), "leave some out")
	}
	for i, item := range list {
		text, ok := item.(string)
		if !ok || text == "" || strings.Contains(text, "{") {
			continue
		}
		place := path + "." + name
		if len(list) > 1 {
			place = fmt.Sprintf("%s[%d]", place, i)
		}
		if _, err := weburl.Parse(text); err != nil {
			w.warn(place, "is no address, where Twilio looks for the picture", "write https://host/path")
		} else if message, wayOut := Unreachable(text); message != "" {
			w.warn(place, message, wayOut)
		}
	}
}

// twins warns of actions that are the same but for their names.
func (w *warner) twins(list []ActionDefinition) {
	for i, a := range list {
		at := slices.IndexFunc(list[:i], func(b ActionDefinition) bool {
			return a.Type == b.Type && !a.Disabled && !b.Disabled && cmp.Or(a.Trigger, DefaultTrigger) == cmp.Or(b.Trigger, DefaultTrigger) &&
				reflect.DeepEqual(a.Mapping, b.Mapping)
		})
		if at >= 0 {
			w.warn(fmt.Sprintf("actions[%d]", i), "sends the same for the same events as "+list[at].Name+", so that people get it twice", "take one of them out")
		}
	}
}
