package lookup_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"engage-worker/actions/internal/lookup"
)

func TestMaskText(t *testing.T) {
	for in, want := range map[string]string{
		"'To' number +15551234567 is bad":          "'To' number +15***567 is bad",
		"(555) 123-4567 and 555.123.4567":          "(55***567 and 55***567",
		"+49 30 1234567!":                          "+49***567!",
		"1234567":                                  "***",
		"error 21610, account 123456":              "error 21610, account 123456",
		"dial tcp 127.0.0.1:41234: refused":        "dial tcp 127.0.0.1:41234: refused",
		"at 10.0.0.12, 8 attempts":                 "at 10.0.0.12, 8 attempts",
		"HTTP 503 200 ok":                          "HTTP 503 200 ok",
		"line\none\x00two":                         "line one two",
		"broken \xff text":                         "broken \uFFFD text",
		"":                                         "",
		strings.Repeat("é", 200):                   strings.Repeat("é", 150) + "…",
		strings.Repeat("x", 296) + "+15551234567":  strings.Repeat("x", 296) + "+15*…",
		strings.Repeat("x", 300) + "+15551234567":  strings.Repeat("x", 300) + "…",
		strings.Repeat("5", 100_000):               "55***555",
		strings.Repeat("5 ", 100_000) + "is a lot": "55***555 is a lot",
	} {
		if got := lookup.MaskText(in); got != want {
			t.Errorf("MaskText(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzMaskText(f *testing.F) {
	f.Add("'To' number +15551234567 is bad")
	f.Add("dial tcp 127.0.0.1:41234: (555) 123-4567")
	f.Fuzz(func(t *testing.T, s string) {
		got := lookup.MaskText(s)
		if len(got) > 310 || !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
		run := 0
		for _, c := range []byte(got) {
			if run++; c < '0' || c > '9' {
				run = 0
			}
			if run == 7 {
				t.Errorf("a number in %q", got)
			}
		}
	})
}

func TestCauseHidesTheURL(t *testing.T) {
	err := &url.Error{Op: "Get", URL: "https://x.example/?To=%2B15551234567", Err: errors.New("no route")}
	if got := lookup.Cause(err); got != "no route" {
		t.Errorf("got %q", got)
	}
}
