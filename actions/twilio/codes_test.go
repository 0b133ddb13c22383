package twilio_test

import (
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
			if meaning != "" && !strings.HasSuffix(meaning, ".") || !strings.HasSuffix(remedy, ".") {
				t.Errorf("%d: no sentence: %q, %q", code, meaning, remedy)
			}
		}
	}
}
