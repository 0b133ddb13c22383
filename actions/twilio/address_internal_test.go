package twilio

import "testing"

func TestSameRecipient(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"+5215512345678", "+525512345678", true}, // Mexico's extra digit
		{"whatsapp:+5215512345678", "whatsapp:+525512345678", true},
		{"whatsapp:+15551234567", "+15551234567", false},
		{"messenger:1234567890123456", "messenger:1234567890123456", true},
		{"messenger:1234567890123456", "messenger:9934567890123456", false},
	} {
		if got := sameRecipient(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %t", c.a, c.b, got)
		}
	}
}
