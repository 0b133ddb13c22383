package twilio_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

func TestExplainKnowsEveryCode(t *testing.T) {
	for reason, codes := range codesByReason {
		for _, code := range codes {
			meaning, remedy := twilio.Explain(code)
			if known := reason != outcome.ReasonTwilioRejected; (meaning != "") != known || remedy == "" {
				t.Errorf("%d: %q, %q", code, meaning, remedy)
			}
			checkSentences(t, code, meaning, remedy)
		}
	}
}

func checkSentences(t *testing.T, code int, meaning, remedy string) {
	t.Helper()
	if meaning != "" && !strings.HasSuffix(meaning, ".") || !strings.HasSuffix(remedy, ".") {
		t.Errorf("%d: no sentence: %q, %q", code, meaning, remedy)
	}
}

// laterCodes are those that come after the acceptance alone, or mean then what
// an analyst acts on.
var laterCodes = map[twilio.Later][]int{
	twilio.LaterOverload: {30001, 30022, 30023, 63038},
	twilio.LaterAway:     {30003, 30017, 30036, 63032, 63049},
	twilio.LaterNumber:   {21635, 30005, 30006, 63024},
	twilio.LaterRefused:  {30004, 30047, 30610, 63014},
	twilio.LaterContent:  {30007, 30032, 30034, 63013, 63016, 63027, 63028},
	twilio.LaterUnsure:   {30008, 30410, 63062},
}

func TestLaterCodes(t *testing.T) {
	for later, codes := range laterCodes {
		for _, code := range codes {
			meaning, remedy := twilio.ExplainLater(code)
			if got := twilio.LaterOf(code); got != later || meaning == "" {
				t.Errorf("%d: got %v, %q; want %v", code, got, meaning, later)
			}
			checkSentences(t, code, meaning, remedy)
			if twilio.Suppresses(code) != slices.Contains([]int{21635, 30005, 30006}, code) {
				t.Errorf("%d: suppresses %v", code, twilio.Suppresses(code))
			}
		}
	}
	for _, code := range []int{0, 1, 20003, 21211, 99999} {
		if got := twilio.LaterOf(code); got != twilio.LaterUnknown || got.Replay() {
			t.Errorf("%d: got %v", code, got)
		}
	}
}

func TestConcerns(t *testing.T) {
	for want, codes := range map[twilio.Concern][]int{
		twilio.ConcernsAccount:   {10001, 20003, 20005, 20404},
		twilio.ConcernsSender:    {21212, 21603, 21606, 21659, 21660, 21701, 21702, 21703, 21704, 21705, 63007},
		twilio.ConcernsRecipient: {21211, 21219, 21408, 21608, 21610, 21612, 21614, 21635},
		twilio.ConcernsContent:   {21602, 21617, 21656, 63016},
		twilio.ConcernsUnknown:   {20001, 21100, 99999},
	} {
		for _, code := range codes {
			for _, status := range []int{400, 401, 403} {
				r := twilio.Classify(twilio.Attempt{Status: status, Body: fmt.Appendf(nil, `{"code":%d,"message":"x"}`, code), Written: true})
				want := want
				if status == 401 {
					want = twilio.ConcernsAccount
				}
				if r.Kind != outcome.Refused || r.Concerns != want {
					t.Errorf("%d, code %d: got %v, %v; want %v", status, code, r.Kind, r.Concerns, want)
				}
			}
		}
	}
	for _, a := range []twilio.Attempt{{Status: 401, Body: []byte("<html>")}, {Status: 429, Body: []byte(`{"code":20003}`)}, {Status: 503, Body: []byte(`{"code":20003}`)}, {}} {
		if r := twilio.Classify(a); r.Concerns != 0 {
			t.Errorf("%+v: concerns %v", a, r.Concerns)
		}
	}
}

// TestDocumentedLaterCodes holds the table of docs/dead-letters.md to the code's.
func TestDocumentedLaterCodes(t *testing.T) {
	page, err := os.ReadFile("../../docs/dead-letters.md")
	if err != nil {
		t.Fatal(err)
	}
	for later := twilio.LaterOverload; later <= twilio.LaterUnsure; later++ {
		for _, code := range laterCodes[later] {
			meaning, remedy := twilio.ExplainLater(code)
			row := fmt.Sprintf("| %d | `%s` | %s | %s |\n", code, later, meaning, remedy)
			if !strings.Contains(string(page), row) {
				t.Errorf("docs/dead-letters.md lacks the row\n%s", row)
			}
		}
	}
}
