package letters

import (
	"encoding/json"
	"testing"
)

func TestMasked(t *testing.T) {
	for text, want := range map[string]string{
		// Numbers, with their plus or without, and mail.
		"+14155550134":                      "+14***134",
		"to +1 (415) 555-0134, now":         "to +14***134, now",
		"14155550134":                       "14***134",
		"0014155550134":                     "00***134",
		"4155550134":                        "41***134",
		"(415) 555-0134":                    "41***134",
		"call 0171/5550134 or 415.555.0134": "call 01***134 or 41***134",
		"41555501-34":                       "41***134",
		"msg-4155550134":                    "msg-41***134",
		"sms:4155550134":                    "sms:41***134",
		"jane.doe+x@example.com, 5":         "***, 5",
		"whatsapp:14155550134":              "whatsapp:14***134",
		// What is none.
		"2026-11-01T10:00:00.000Z":             "2026-11-01T10:00:00.000Z",
		"2026-11-01 10:00:00":                  "2026-11-01 10:00:00",
		"192.168.100.200:8080":                 "192.168.100.200:8080",
		"1782896703000":                        "1782896703000",
		"12345678":                             "12345678",
		"1234567890123456":                     "1234567890123456",
		"RQ0123456789abcdef0123456789abcdef":   "RQ0123456789abcdef0123456789abcdef",
		"SM01234567890123456789012345678901":   "SM01234567890123456789012345678901",
		"3f2c5e7a-1111-4222-8333-0123456789ab": "3f2c5e7a-1111-4222-8333-0123456789ab",
		"audience-events/3@12345":              "audience-events/3@12345",
		"":                                     "",
		// JSON stays JSON.
		`{"phone":"4155550134","n":14155550134,"at":1782896703000,"total":42.5}`:  `{"phone":"41***134","n":"14***134","at":1782896703000,"total":42.5}`,
		`{"note":"call 4155550134, \"ok\": 14155550134,","list":[4155550134,-1]}`: `{"note":"call 41***134, \"ok\": 14***134,","list":["41***134",-1]}`,
		`["+14155550134", {"a@b.co": [1e21, 4155550134.5]}]`:                      `["+14***134", {"***": [1e21, 4155550134.5]}]`,
		"\x00\x00\x00\x00\x01" + `{"phone":4155550134}`:                           "\x00\x00\x00\x00\x01" + `{"phone":"41***134"}`,
		`{"phone":4155550134`: `{"phone":41***134`,
	} {
		got := Masked(text)
		if got != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
		if json.Valid([]byte(text)) && text != "" && text[0] == '{' && !json.Valid([]byte(got)) {
			t.Errorf("%q isn't JSON any more: %q", text, got)
		}
		if again := Masked(got); again != got {
			t.Errorf("%q masked again: %q", got, again)
		}
	}
}
