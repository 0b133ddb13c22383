package twilio_test

import (
	"testing"

	"engage-worker/actions/twilio"
)

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"+15551234567":            "+15***567",
		"15551234567":             "15***567",
		"+1 (555) 123-4567":       "+15***567",
		"whatsapp:+15551234567":   "whatsapp:+15***567",
		"WhatsApp: +15551234567":  "whatsapp:+15***567",
		"whatsapp:jane":           "whatsapp:***",
		"whatsapp:":               "whatsapp:",
		"messenger:1234567890123": "***",
		"555123456":               "55***456",
		"55512345":                "***",
		"+1555":                   "***",
		"jane@example.com":        "***",
		"+155512345six":           "***",
		"":                        "",
	} {
		if got := twilio.Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("+15551234567")
	f.Add("whatsapp:+1 (555) 123-4567")
	f.Fuzz(func(t *testing.T, s string) {
		if got := twilio.Mask(s); len(got) > len("whatsapp:+15***567") || hasDigits(got, 4) {
			t.Errorf("Mask(%q) = %q", s, got)
		}
	})
}
