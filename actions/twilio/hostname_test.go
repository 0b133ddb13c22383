package twilio_test

import (
	"net/url"
	"strings"
	"testing"

	"engage-worker/actions/twilio"
)

func TestBaseURL(t *testing.T) {
	for _, tc := range []struct{ hostname, region, edge, product, want string }{
		{"", "", "", "api", "https://api.twilio.com"},
		{"", "", "", "content", "https://content.twilio.com"},
		{"", "ie1", "dublin", "api", "https://api.dublin.ie1.twilio.com"},
		{"", "ie1", "dublin", "content", "https://content.dublin.ie1.twilio.com"},
		{"api.example", "", "", "api", "https://api.example"},
		{"API.example:8443", "", "", "api", "https://api.example:8443"},
		{"http://127.0.0.1:4010", "", "", "api", "http://127.0.0.1:4010"},
		{"https://[::1]:4010/", "", "", "content", "https://[::1]:4010"},
		{"twilio_sim:4010", "ie1", "dublin", "api", "https://twilio_sim:4010"}, // the setting wins
		{"", "ie1", "", "api", ""},
		{"", "", "dublin", "api", ""},
		{"api.example", "", "dublin", "api", ""},
		{"", "", "", "voice", ""},
		{"", "ie1", "evil.example/", "api", ""},
		{"", "ie1", "a.b", "api", ""},
		{"ftp://api.example", "", "", "api", ""},
		{"api.example/v1", "", "", "api", ""},
		{"api.example?x", "", "", "api", ""},
		{"api.example#", "", "", "api", ""},
		{"user:pass@api.example", "", "", "api", ""},
		{"api.example:0", "", "", "api", ""},
		{"api.example:99999", "", "", "api", ""},
		{"api.example:", "", "", "api", ""},
		{"a b", "", "", "api", ""},
		{"https://", "", "", "api", ""},
		{"..", "", "", "api", ""},
	} {
		got, err := twilio.BaseURL(tc.hostname, tc.region, tc.edge, tc.product)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%+v: got %q, %v", tc, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "pass") {
			t.Errorf("%+v: error tells the password: %v", tc, err)
		}
	}
}

func FuzzBaseURL(f *testing.F) {
	f.Add("http://127.0.0.1:4010", "", "")
	f.Add("", "ie1", "dublin")
	f.Fuzz(func(t *testing.T, hostname, region, edge string) {
		base, err := twilio.BaseURL(hostname, region, edge, "api")
		if err != nil {
			return
		}
		u, err := url.Parse(base + "/2010-04-01/x")
		if err != nil || u.Host == "" || u.Path != "/2010-04-01/x" || u.User != nil || u.Scheme+"://"+u.Host != base {
			t.Errorf("%q %q %q: %q, %v", hostname, region, edge, base, err)
		}
	})
}
