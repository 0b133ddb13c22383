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

// TestPerson: what an event may write for one number is one person.
func TestPerson(t *testing.T) {
	for want, all := range map[string][]string{
		"+14155550100":          {"+14155550100", "+1 (415) 555-0100", "415-555-0100", "1 415 555 0100", " +1.415.555.0100 "},
		"whatsapp:+14155550100": {"whatsapp:+14155550100", "WhatsApp:+1 415 555 0100"},
		"+525512345678":         {"+525512345678", "+5215512345678", "+52 1 55 1234 5678"},
		"+541112345678":         {"+541112345678", "+5491112345678"},
		"+15215512345678":       {"+15215512345678"}, // whose digits are another country's
		"messenger:a1":          {"messenger:a1"},
		"no number":             {"no number"},
	} {
		for _, to := range all {
			if got := Person(to); got != want {
				t.Errorf("%q: %q, want %q", to, got, want)
			}
		}
	}
}
