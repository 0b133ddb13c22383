package lookup_test

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"
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

func TestMaskTextOfAnyScript(t *testing.T) {
	for in, want := range map[string]string{
		"to +1_415_555_0123.":                           "to +14***123.",
		"to +１４１５５５５０１２３":                               "to +14***123",
		"to +١٤١٥٥٥٥٠١٢٣":                               "to +14***123",
		"to +1–415–555–0123":                            "to +14***123",
		"to +1\u200b415\u200b555\u200b0123":             "to +14***123",
		"to +1 (415)/555 – 0123":                        "to +14***123",
		"to 1️⃣4️⃣1️⃣5️⃣5️⃣5️⃣0️⃣":                      "to ***️⃣",
		"to ④①⑤⑤⑤⑤⓪①②③":                                 "to 00***000",
		"to 𝟒𝟏𝟓𝟓𝟓𝟓𝟎𝟏𝟐𝟑":                                 "to 41***123",
		"to +1....415(-) 555\u00ad\u2060\ufe0f 0123":    "to +14***123",
		"+14155550123, +14155550456":                    "+14***456",
		"+14155550123 and +14155550456":                 "+14***123 and +14***456",
		"+1.212.201.123":                                "+12***123",
		"01.23.45.67.89":                                "01***789",
		"41.55.55.01":                                   "***",
		"read tcp 10.0.0.1:41234->10.0.0.2:443: reset":  "read tcp 10.0.0.1:41234->10.0.0.2:443: reset",
		"dial tcp [::1]:41234->[::1]:443: reset":        "dial tcp [::1]:41234->[::1]:443: reset",
		"dial tcp 127.0.0.1:41234: 3 attempts in 2.5 s": "dial tcp 127.0.0.1:41234: 3 attempts in 2.5 s",
		"c1 \u009b31m":                                  "c1  31m",
		"to +1&nbsp;415&nbsp;555&#8211;0123":            "to +14***123",
		"to &#43;&#49;&#52;&#49;&#x35;&#x35;555123;":    "to &#43***123;",
		`to +1\u00a0415\u00a0555\u20110123`:             "to +14***123",
		"to 一三八零零一三八零零零":                                "to 13***000",
		"to 一三八 〇〇一三 八〇〇〇":                              "to 13***000",
		"一共有三件，五天内到":                                    "一共有三件，五天内到",
		"a &amp; b, c&d 12 \\ 34":                       "a &amp; b, c&d 12 \\ 34",
	} {
		if got := lookup.MaskText(in); got != want {
			t.Errorf("MaskText(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDigits(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a1b2": "12", "٠١٢٣٤٥٦٧٨٩": "0123456789", "۰۹": "09", "０９": "09", "०९": "09", "𝟎𝟗𝟘𝟡𝟢𝟫𝟬𝟵𝟶𝟿": "0909090909", "②": "0",
	} {
		if got := lookup.Digits(in); got != want {
			t.Errorf("Digits(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzMaskText: no number survives, whatever its script and its gaps, but an
// address; and masking is done once.
func FuzzMaskText(f *testing.F) {
	for _, seed := range []string{
		"'To' number +15551234567 is bad", "dial tcp 127.0.0.1:41234: (555) 123-4567", "+1_415_555_0123", "１４１５５５５０１２３",
		"+1\u200b415–555 0123 …", "1.2.3.4.5.6.7.8", "9.9.9.9 1", "9.9.9.9\u00a01234567", "10.0.0.1->10.0.0.2->1234567", "1\xff2\xff3\xff4\xff5\xff6\xff7",
	} {
		f.Add(seed)
	}
	address := regexp.MustCompile(`[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]{1,5})?`)
	f.Fuzz(func(t *testing.T, s string) {
		got := lookup.MaskText(s)
		if len(got) > 310 || !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
		if again := lookup.MaskText(got); again != got {
			t.Errorf("%q became %q, then %q", s, got, again)
		}
		run, gap := 0, 0
		for _, r := range address.ReplaceAllString(got, "a") {
			switch {
			case unicode.IsNumber(r):
				run, gap = run+1, 0
			case unicode.IsLetter(r), gap == 3:
				run = 0
			default:
				gap++
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
