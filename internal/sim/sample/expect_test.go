package sample

import (
	"os"
	"path/filepath"
	"testing"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
)

func destination(t *testing.T, mappings ...actions.ActionDefinition) *actions.Destination {
	t.Helper()
	d, faults := actions.New(actions.Definition{
		Name: "sample",
		Settings: actions.Settings{
			TwilioAccountSID: "AC0123", TwilioAPIKeySID: "SK0123", TwilioAPIKeySecret: "secret",
			ProfileAPIEnvironment: "production", ProfileAPIAccessToken: "token",
			SpaceID: "spa_1", SourceID: "src_1", Region: RegionUS,
		},
		Actions: mappings,
	}, actions.Options{})
	for _, fault := range faults {
		t.Fatalf("%s: %s", fault.Path, fault.Message)
	}
	t.Cleanup(d.Close)
	return d
}

// decide is the reason that a delivery comes to before Twilio is asked.
func decide(t *testing.T, d *actions.Destination, value []byte, action int) outcome.Reason {
	t.Helper()
	m := d.Match(value)
	switch {
	case m.Malformed != nil:
		return outcome.ReasonMalformedEvent
	case m.Actions&(1<<action) == 0:
		return outcome.ReasonNoMatch
	}
	ev, err := d.Decode(value)
	if err != nil {
		t.Fatal(err)
	}
	return d.Prepare(t.Context(), ev, action).Reason
}

// TestExpectations asks the worker's own actions.
func TestExpectations(t *testing.T) {
	d := destination(t,
		actions.ActionDefinition{Name: "sms", Type: actions.SendSMS, Mapping: map[string]any{
			"from": "MG0123", "body": "Hi {{profile.traits.first_name}}",
		}},
		actions.ActionDefinition{Name: "whatsapp", Type: actions.SendWhatsApp, Mapping: map[string]any{
			"from": "+15005550006", "contentSid": "HX0123",
		}},
	)
	for _, ev := range take(New(11, Mix()), 3_000) {
		sms := ev.SMS
		if ev.Kind == BadNumber || ev.Kind == OptedOut {
			sms = outcome.ReasonNone // it is Twilio that refuses
		}
		if got := decide(t, d, ev.Value, 0); got != sms {
			t.Fatalf("%s by SMS: %q, want %q\n%s", ev.Kind, got, sms, ev.Value)
		}
		if got := decide(t, d, ev.Value, 1); got != ev.WhatsApp {
			t.Fatalf("%s by WhatsApp: %q, want %q\n%s", ev.Kind, got, ev.WhatsApp, ev.Value)
		}
	}
}

// TestRudderStackMapping is the mapping that docs/events.md gives for
// RudderStack's events.
func TestRudderStackMapping(t *testing.T) {
	path := func(to string) map[string]any { return map[string]any{"@path": to} }
	d := destination(t, actions.ActionDefinition{Name: "sms", Type: actions.SendSMS, Mapping: map[string]any{
		"from":   "MG0123",
		"body":   "Hi {{profile.traits.first_name}}",
		"traits": path("$.context.traits"),
		"externalIds": []any{map[string]any{
			"id":                 path("$.context.traits.phone"),
			"type":               "phone",
			"channelType":        "sms",
			"subscriptionStatus": path("$.context.traits.sms_consent"),
		}},
	}})
	value, err := os.ReadFile(filepath.Join(docs, "examples", "rudderstack.json"))
	if err != nil {
		t.Fatal(err)
	}
	ev, err := d.Decode(value)
	if err != nil {
		t.Fatal(err)
	}
	got := d.Prepare(t.Context(), ev, 0)
	if got.Decision != actions.DecisionSend || got.Message == nil || got.Recipient != "+12065550119" || got.Message.Body != "Hi Siobhán" {
		t.Errorf("%+v %+v", got, got.Message)
	}
}
