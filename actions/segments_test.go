package actions_test

import (
	"fmt"
	"strings"
	"testing"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
)

func TestSeveralSenders(t *testing.T) {
	sends := func(from any) actions.ActionDefinition {
		return actions.ActionDefinition{Name: fmt.Sprint(from), Type: actions.SendSMS, Mapping: map[string]any{"from": from, "body": "hi"}}
	}
	for _, test := range []struct {
		name    string
		actions []actions.ActionDefinition
		want    bool
	}{
		{"one", []actions.ActionDefinition{sends("MG1")}, false},
		{"two", []actions.ActionDefinition{sends("MG1"), sends("MG2")}, true},
		{"the event's", []actions.ActionDefinition{sends(map[string]any{"@path": "$.properties.from"})}, true},
	} {
		d, faults := actions.New(actions.Definition{
			Name: "d", Settings: actions.Settings{TwilioAccountSID: "AC0", TwilioAPIKeySID: "SK0", TwilioAPIKeySecret: "secret", ProfileAPIAccessToken: "t", SpaceID: "s", ProfileAPIEnvironment: "production"},
			Actions: test.actions,
		}, actions.Options{})
		if faults != nil {
			t.Fatal(faults)
		}
		if got := d.SeveralSenders(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestSegmentsOfADelivery: what a message takes of its sender's rate.
func TestSegmentsOfADelivery(t *testing.T) {
	picture := []twilio.FormValue{{Name: "MediaUrl", Value: "https://x.io/p.png"}}
	for _, test := range []struct {
		name    string
		message twilio.Message
		want    int
	}{
		{"one", twilio.Message{To: "+15551234567", Body: "hi"}, 1},
		{"GSM-7", twilio.Message{To: "+15551234567", Body: strings.Repeat("x", 161)}, 2},
		{"UCS-2", twilio.Message{To: "+15551234567", Body: strings.Repeat("ж", 135)}, 3},
		{"WhatsApp", twilio.Message{To: "whatsapp:+15551234567", Body: strings.Repeat("x", 500)}, 1},
		{"a picture", twilio.Message{To: "+15551234567", Body: strings.Repeat("x", 500), Form: picture}, 1},
		{"a template that Twilio renders", twilio.Message{To: "+15551234567"}, 1},
	} {
		if got := (&actions.Delivery{Message: &test.message}).Segments(); got != test.want {
			t.Errorf("%s: %d segments, want %d", test.name, got, test.want)
		}
	}
	if got := (&actions.Delivery{}).Segments(); got != 1 {
		t.Errorf("without a message: %d, want 1", got)
	}
}
