package actions_test

import (
	"strings"
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

// benchWhatsAppEvent is the same for somebody who is subscribed to WhatsApp.
var benchWhatsAppEvent = strings.Replace(strings.Replace(benchEvent, `"channelType":"sms"`, `"channelType":"whatsapp"`, 1), "+15551234567", "+12025550123", 1)

// benchDestination has two actions for the same events: an SMS as they usually
// are, and a WhatsApp message by a content template with variables.
func benchDestination(b testing.TB) *actions.Destination {
	b.Helper()
	path := func(p string) any { return map[string]any{"@path": p} }
	object := func(members ...any) any {
		o := jsvalue.NewObject(len(members) / 2)
		for i := 0; i < len(members); i += 2 {
			o.Set(members[i].(string), members[i+1])
		}
		return o
	}
	customArgs := object("audience_id", path("$.context.personas.computation_id"), "campaign_name", "welcome")
	const trigger = `type = "track" and event = "Audience Entered" and properties.audience_key = "high_value"`
	d, faults := actions.New(actions.Definition{
		Name: "onboarding",
		Settings: actions.Settings{
			TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "secret",
			SpaceID: "spa_1", WebhookURL: "https://hooks.example.com/twilio",
		},
		Actions: []actions.ActionDefinition{{
			Name: "welcome-sms", Type: actions.SendSMS, Trigger: trigger,
			Mapping: map[string]any{
				"from":       "MG1",
				"body":       "Hi {{ profile.traits.first_name | default: 'there' }}, welcome to the club in {{ profile.traits.city }}!",
				"customArgs": customArgs,
			},
		}, {
			Name: "welcome-whatsapp", Type: actions.SendWhatsApp, Trigger: trigger,
			Mapping: map[string]any{
				"from":             "whatsapp:+15550001111",
				"contentSid":       "HX1",
				"contentVariables": object("1", "{{ profile.traits.first_name | default: 'there' }}", "2", path("$.properties.city"), "3", "spring"),
				"customArgs":       customArgs,
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
	if d.Match(value).Actions != 0b11 {
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

// benchDeliveries are the actions of benchDestination, each with an event that
// becomes a message under it.
var benchDeliveries = []struct {
	name   string
	action int
	event  string
}{
	{"sms", 0, benchEvent},
	{"whatsapp", 1, benchWhatsAppEvent},
}

func BenchmarkPrepare(b *testing.B) {
	d := benchDestination(b)
	for _, bench := range benchDeliveries {
		b.Run(bench.name, func(b *testing.B) {
			ev, err := d.Decode([]byte(bench.event))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if delivery := d.Prepare(b.Context(), ev, bench.action); delivery.Message == nil {
					b.Fatal(delivery.Reason, delivery.Failure)
				}
			}
		})
	}
}

// BenchmarkDelivery is the whole way of one event to a message: match,
// decode, prepare.
func BenchmarkDelivery(b *testing.B) {
	d := benchDestination(b)
	for _, bench := range benchDeliveries {
		b.Run(bench.name, func(b *testing.B) {
			value := []byte(bench.event)
			b.ReportAllocs()
			for b.Loop() {
				if d.Match(value).Actions&(1<<bench.action) == 0 {
					b.Fatal("no match")
				}
				ev, err := d.Decode(value)
				if err != nil {
					b.Fatal(err)
				}
				if delivery := d.Prepare(b.Context(), ev, bench.action); delivery.Message == nil {
					b.Fatal(delivery.Reason, delivery.Failure)
				}
			}
		})
	}
}
