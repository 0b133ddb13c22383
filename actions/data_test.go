package actions_test

import (
	"encoding/json"
	"testing"

	"engage-worker/actions"
	"engage-worker/actions/jsvalue"
)

// TestAnEventIsData puts what would be templates into events: they come out as
// they are, from wherever a directive takes them.
func TestAnEventIsData(t *testing.T) {
	const evil = `{{ profile.traits | json }}{% if`
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		field, mapping, want string
	}{
		{"body", `{"@template":"Hi {{properties.name}}, welcome"}`, "Hi " + evil + ", welcome"},
		{"body", `{"@template":"Hi {{{properties.name}}}, welcome"}`, "Hi " + evil + ", welcome"},
		{"body", `{"@template":"{% if profile.traits.vip %}Hi {{properties.name}}{% else %}no{% endif %}"}`, "Hi " + evil},
		{"body", `{"@template":"{% echo '{{properties.name}}' | upcase %}"}`, `{{ PROFILE.TRAITS | JSON }}{% IF`},
		{"body", `{"@template":"{% assign n = {{properties.name}} %}{% echo n | size %}"}`, "32"},
		{"body", `{"@template":"{% if {{properties.n}} > 5 %}many{% endif %}"}`, "many"},
		{"body", `{"@template":"{% raw %}{{properties.name}}{% endraw %}{% comment %}{{properties.name}}{% endcomment %}"}`, evil},
		{"body", `{"@template":{"@path":"$.properties.name"}}`, evil},
		{"body", `{"@template":{"@path":"$.properties.inner"}}`, "{{properties.name}}"},
		{"body", `{"@template":{"@if":{"exists":{"@path":"$.properties.vip"},"then":"Hi {{properties.name}}!"}}}`, "Hi " + evil + "!"},
		{"body", `{"@path":"$.properties.name"}`, evil},
		{"body", `{"@if":{"exists":{"@path":"$.properties.vip"},"then":"VIP {{ profile.traits.n }}","else":"x"}}`, "VIP 7"},
		{"body", `{"@if":{"exists":{"@path":"$.properties.vip"},"then":{"@path":"$.properties.name"}}}`, evil},
		{"body", `{"@case":{"operator":"lower","value":{"@path":"$.properties.name"}}}`, evil},
		{"body", `{"@replace":{"pattern":"{%","replacement":"{{","value":{"@path":"$.properties.name"}}}`, `{{ profile.traits | json }}{{ if`},
		{"body", `{"@replace":{"pattern":"_","replacement":" ","value":{"@template":"{% if profile.traits.vip %}a_{{properties.name}}{% endif %}"}}}`, "a " + evil},
		{"body", `{"@json":{"mode":"encode","value":{"@path":"$.properties.name"}}}`, `"` + evil + `"`},
		{"body", `{"@json":{"mode":"decode","value":{"@path":"$.properties.encoded"}}}`, evil},
		{"body", `{"@liquid":"{{ properties.name }}"}`, evil},
		{"body", `{"@transform":{"apply":{"x":{"@path":"$.properties.name"}},"mapping":{"@path":"$.x"}}}`, evil},
		{"body", `{"@excludeWhenNull":{"@path":"$.properties.name"}}`, evil},
		{"media", `["https://m/{{ profile.traits.n }}",{"@path":"$.properties.name"}]`, "https://m/7 " + evil},
		{"media", `{"@path":"$.properties.list"}`, evil + " " + evil},
		{"contentVariables", `{"1":"{{ profile.traits.n }}","2":{"@path":"$.properties.name"}}`, `{"1":"7","2":` + string(quoted) + `}`},
		{"contentVariables", `{"@path":"$.properties.variables"}`, `{"1":` + string(quoted) + `}`},
		{"contentVariables", `{"@merge":{"objects":[{"1":"{{ profile.traits.n }}"},{"@path":"$.properties.more"}],"direction":"right"}}`, `{"1":"7","2":` + string(quoted) + `}`},
		{"customArgs", `{"user_id":{"@path":"$.properties.name"}}`, `{"user_id":` + string(quoted) + `,"external_id_type":"phone","external_id_value":"+15551234567"}`},
	} {
		decoded, err := jsvalue.Decode(c.mapping)
		if err != nil {
			t.Fatal(err)
		}
		channel, form := "sms", "Body"
		def := sms(map[string]any{"from": "MG1", "body": "b", c.field: decoded})
		switch c.field {
		case "media":
			form = "MediaUrl"
		case "customArgs":
			form = "Tags"
		case "contentVariables":
			channel, form = "whatsapp", "ContentVariables"
			def = whatsApp(map[string]any{"from": "whatsapp:+1", "contentSid": "HX1", c.field: decoded})
		}
		event := `{"type":"track","event":"Audience Entered","userId":"u1","properties":{"vip":true,"n":7,"inner":"{{properties.name}}","encoded":` +
			jsvalue.Encode(string(quoted)) + `,"name":` + string(quoted) + `,"list":[` + string(quoted) + `,` + string(quoted) + `],"variables":{"1":` +
			string(quoted) + `},"more":{"2":` + string(quoted) + `}},"external_ids":[{"id":"+15551234567","type":"phone","channelType":"` +
			channel + `","isSubscribed":"subscribed"}]}`
		if got := formValue(t, def, event, form); got != c.want {
			t.Errorf("%s: %s\ngot  %s\nwant %s", c.field, c.mapping, got, c.want)
		}
	}
}

// formValue is what an action's message has under a name, several separated by
// spaces, or why there is none.
func formValue(t *testing.T, def actions.ActionDefinition, event, name string) string {
	t.Helper()
	d, faults := actions.New(actions.Definition{
		Name:     "d",
		Settings: actions.Settings{TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "s"},
		Actions:  []actions.ActionDefinition{def},
	}, actions.Options{})
	if len(faults) > 0 {
		return faults[0].Message
	}
	defer d.Close()
	ev, err := d.Decode([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	delivery := d.Prepare(t.Context(), ev, 0)
	if delivery.Message == nil {
		if delivery.Failure != nil {
			return delivery.Failure.Error()
		}
		return delivery.Reason.String()
	}
	got := ""
	for _, value := range delivery.Message.Form {
		if value.Name == name {
			if got != "" {
				got += " "
			}
			got += value.Value
		}
	}
	return got
}

// TestWhatAMappingFixesIsChecked finds broken templates before any event, also
// those that an event is still to fill in.
func TestWhatAMappingFixesIsChecked(t *testing.T) {
	for mapping, want := range map[string]string{
		`{"@template":"{% if a %}{{properties.name}}"}`:                                    "Liquid, line 1, column 1: if is not closed with {% endif %}",
		`{"@template":"{% {{properties.name}} %}"}`:                                        "Liquid, line 1, column 1: tag without a name",
		`{"@if":{"exists":{"@path":"$.x"},"then":"{% if a %}{% else if b %}{% endif %}"}}`: `Liquid, line 1, column 11: else takes nothing behind it, not "if b"; write elsif`,
	} {
		decoded, err := jsvalue.Decode(mapping)
		if err != nil {
			t.Fatal(err)
		}
		if got := formValue(t, sms(map[string]any{"from": "MG1", "body": decoded}), `{}`, ""); got != want {
			t.Errorf("%s: got %q, want %q", mapping, got, want)
		}
	}
}
