package actions_test

import (
	"testing"

	"engage-worker/actions"
	"engage-worker/actions/jsvalue"
)

// benchEvent is an audience event of the usual size.
const benchEvent = `{"type":"track","event":"Audience Entered","userId":"user-8812","anonymousId":"a3f0c1d2-7b7e-4f0e-9a43-0d6c7f1b2e11",` +
	`"messageId":"personas_2f1Wq0z9b3n4m5","timestamp":"2026-11-01T10:00:00.000Z","receivedAt":"2026-11-01T10:00:00.420Z",` +
	`"properties":{"first_name":"Jane","last_name":"Doe","email":"jane@example.com","ltv":1234.5,"orders":7,"vip":true,` +
	`"audience_key":"high_value","high_value":true,"city":"Zürich","tags":["a","b","c"]},` +
	`"context":{"personas":{"computation_class":"audience","computation_id":"aud_1","computation_key":"high_value","space_id":"spa_1"},` +
	`"library":{"name":"unknown","version":"unknown"},"locale":"en-US"},` +
	`"external_ids":[{"id":"jane@example.com","type":"email","channelType":"email","isSubscribed":true},` +
	`{"id":"+15551234567","type":"phone","channelType":"sms","isSubscribed":true}]}`

func benchDestination(b testing.TB) *actions.Destination {
	b.Helper()
	customArgs := jsvalue.NewObject(2)
	path := jsvalue.NewObject(1)
	path.Set("@path", "$.context.personas.computation_id")
	customArgs.Set("audience_id", path)
	customArgs.Set("campaign_name", "welcome")
	d, faults := actions.New(actions.Definition{
		Name: "onboarding",
		Settings: actions.Settings{
			TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "secret",
			SpaceID: "spa_1", WebhookURL: "https://hooks.example.com/twilio",
		},
		Actions: []actions.ActionDefinition{{
			Name: "welcome-sms", Type: actions.SendSMS,
			Trigger: `type = "track" and event = "Audience Entered" and properties.audience_key = "high_value"`,
			Mapping: map[string]any{
				"from":       "MG1",
				"body":       "Hi {{ profile.traits.first_name | default: 'there' }}, welcome to the club in {{ profile.traits.city }}!",
				"customArgs": customArgs,
			},
		}},
	}, actions.Options{})
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	b.Cleanup(d.Close)
	return d
}

func BenchmarkMatch(b *testing.B) {
	d := benchDestination(b)
	value := []byte(benchEvent)
	if d.Match(value).Actions != 1 {
		b.Fatal("no match")
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		d.Match(value)
	}
}

func BenchmarkMatchNothing(b *testing.B) {
	d := benchDestination(b)
	value := []byte(`{"type":"page"` + benchEvent[len(`{"type":"track"`):])
	if m := d.Match(value); m.Actions != 0 || m.Malformed != nil {
		b.Fatal("match")
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		d.Match(value)
	}
}

func BenchmarkDecode(b *testing.B) {
	d := benchDestination(b)
	value := []byte(benchEvent)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := d.Decode(value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPrepare(b *testing.B) {
	d := benchDestination(b)
	ev, err := d.Decode([]byte(benchEvent))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if delivery := d.Prepare(b.Context(), ev, 0); delivery.Message == nil {
			b.Fatal(delivery.Failure)
		}
	}
}

// BenchmarkDelivery is the whole way of one event to a message: match,
// decode, prepare.
func BenchmarkDelivery(b *testing.B) {
	d := benchDestination(b)
	value := []byte(benchEvent)
	b.ReportAllocs()
	for b.Loop() {
		if d.Match(value).Actions != 1 {
			b.Fatal("no match")
		}
		ev, err := d.Decode(value)
		if err != nil {
			b.Fatal(err)
		}
		if delivery := d.Prepare(b.Context(), ev, 0); delivery.Message == nil {
			b.Fatal(delivery.Failure)
		}
	}
}
