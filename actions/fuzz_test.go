package actions_test

import (
	"reflect"
	"runtime"
	"testing"
	"unicode/utf8"

	"engage-worker/actions"
)

// FuzzPrepare gives any bytes to actions that take all they can from the
// event, and holds what comes out against what a Delivery promises.
func FuzzPrepare(f *testing.F) {
	path := func(p string) any { return map[string]any{"@path": p} }
	s := settings()
	s.WebhookURL = "https://cb.io/h?x=1"
	everything := map[string]any{
		"from": path("$.from"), "body": path("$.body"), "media": path("$.media"), "customArgs": path("$.properties"),
		"send": path("$.send"), "sendBasedOnOptOut": path("$.optOut"), "region": path("$.region"), "toNumber": path("$.to"),
	}
	d, faults := actions.New(actions.Definition{Name: "d", Settings: s, Actions: []actions.ActionDefinition{
		{Name: "all", Type: actions.SendSMS, Trigger: "type != null or type = null", Mapping: everything},
		{Name: "usual", Type: actions.SendSMS, Mapping: map[string]any{"from": "MG1", "body": "Hi {{ profile.traits.first_name | default: 'there' }}", "customArgs": path("$.context")}},
		{Name: "wa", Type: actions.SendWhatsApp, Mapping: map[string]any{"from": "whatsapp:+1", "contentSid": "HX1", "contentVariables": path("$.properties")}},
		{Name: "directives", Type: actions.SendSMS, Mapping: map[string]any{
			"from": "MG1", "body": map[string]any{"@template": "{% if profile.traits.a %}{{{body}}}{% endif %}{{properties.b}}"},
			"media": map[string]any{"@replace": map[string]any{"pattern": "a", "replacement": "$'", "value": path("$.body")}},
		}},
		{Name: "from events", Type: actions.SendSMS, LiquidFromEvents: true, Mapping: map[string]any{
			"from": "MG1", "body": path("$.body"), "media": map[string]any{"@template": path("$.media")},
		}},
		{Name: "wa body", Type: actions.SendWhatsApp, Mapping: map[string]any{"from": "whatsapp:+1", "body": path("$.body")}},
	}}, actions.Options{})
	if len(faults) > 0 {
		f.Fatal(faults)
	}
	for _, seed := range []string{
		benchEvent, event(smsAddress), event(waAddress),
		event(`"from":"+1","to":"+15551234567","body":"{{ profile.phone }} {% for t in profile.traits %}{{ t }}{% endfor %}","media":["{{ profile.user_id }}",null,7],"send":"true","properties":{"10":1,"2":[1,[null]],"space_id":{}},"region":"eu-west-1"`),
		`{"type":"track","event":"Audience Entered","external_ids":{"type":["phone"],"channelType":null,"isSubscribed":"weird"}}`,
		`{"properties":{"a":1e999,"b":"\ud800"},"body":"\u0000"}`, `null`, `[`, "{\"\xff\":\"\xc3\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		m := d.Match(value)
		if value == nil {
			t.Skip()
		}
		ev, err := d.Decode(value)
		if m.Malformed != nil {
			if m.Actions != 0 || err == nil {
				t.Fatalf("malformed (%v), but Decode says %v and the actions are %b", m.Malformed, err, m.Actions)
			}
			return
		}
		if err != nil {
			return // nested too deeply for more than a trigger
		}
		for i, name := range d.Actions() {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := d.Prepare(t.Context(), ev, i)
			runtime.ReadMemStats(&after)
			if made := after.TotalAlloc - before.TotalAlloc; made > 150<<20 {
				t.Fatalf("%s: makes %d MiB", name, made>>20)
			}
			if got.Failure != nil && got.Failure.Code == "interrupted" { // by the clock
				t.Fatalf("%s: %+v", name, got.Failure)
			}
			if got.Action != name || (got.Decision == actions.DecisionSend) != (got.Message != nil) || (got.Decision == actions.DecisionFail) != (got.Failure != nil) ||
				(got.Decision == actions.DecisionSend) != (got.Reason == 0) || got.Failure != nil && got.Failure.Reason != got.Reason {
				t.Fatalf("%s: %+v", name, got)
			}
			if again := d.Prepare(t.Context(), ev, i); !reflect.DeepEqual(got, again) {
				t.Fatalf("%s: %+v, then %+v", name, got, again)
			}
			if got.Message == nil {
				continue
			}
			if got.Message.To == "" || got.Message.From == "" || utf8.RuneCountInString(got.Message.Body) > 1600 {
				t.Fatalf("%s: %+v", name, got.Message)
			}
			for _, pair := range got.Message.Form {
				if !utf8.ValidString(pair.Value) {
					t.Fatalf("%s: %s is no UTF-8: %q", name, pair.Name, pair.Value)
				}
			}
		}
	})
}
