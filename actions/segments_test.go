package actions_test

import (
	"strings"
	"testing"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
)

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
