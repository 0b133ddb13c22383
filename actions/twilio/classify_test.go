package twilio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// codesByReason is the table of Twilio's codes that the worker is specified by.
var codesByReason = map[outcome.Reason][]int{
	outcome.ReasonOptedOut:          {21610},
	outcome.ReasonRecipientRejected: {21211, 21214, 21217, 21604, 21612, 21614, 21266, 63003, 63024, 63033},
	outcome.ReasonAccountRejected:   {21408, 21608, 21219},
	outcome.ReasonSenderRejected: {20003, 20404, 21212, 21601, 21603, 21606, 21659, 21660, 21701, 21702, 21703, 21704, 21705, 21709,
		63002, 63007, 63020, 30034, 30032},
	outcome.ReasonContentRejected: {21602, 21609, 21617, 21619, 21620, 21621, 21623, 21624, 21654, 21655, 21656, 63005, 63006, 63013, 63016, 63019,
		63021, 63027, 63028, 63029, 63030, 63034, 63040, 63041, 63042, 92001, 92002, 92003, 92004, 92005, 92006, 92007, 30007, 30019},
	outcome.ReasonRateLimited:    {20429, 21611, 14107, 30001, 30017, 30022, 63017, 63018, 63119},
	outcome.ReasonOutcomeUnknown: {20500, 20503},
	outcome.ReasonTwilioRejected: {20001, 21100, 99999},
}

func TestClassifyCodes(t *testing.T) {
	for reason, codes := range codesByReason {
		kind := outcome.Refused
		switch reason {
		case outcome.ReasonRateLimited:
			kind = outcome.Throttled
		case outcome.ReasonOutcomeUnknown:
			kind = outcome.Ambiguous
		}
		for _, code := range codes {
			for _, status := range []int{400, 401, 403, 404} {
				r := twilio.Classify(twilio.Attempt{Status: status, Body: fmt.Appendf(nil, `{"code":%d}`, code), Written: true})
				if want := (verdict{kind, reason, "", status, code, 0}); verdictOf(t, r) != want {
					t.Errorf("%d, code %d: got %+v, want %+v", status, code, verdictOf(t, r), want)
				}
			}
			// A code doesn't make a failure of Twilio's harmless.
			r := twilio.Classify(twilio.Attempt{Status: 503, Body: fmt.Appendf(nil, `{"code":%d}`, code), Written: true})
			if r.Kind != outcome.Ambiguous || r.Code != code {
				t.Errorf("503, code %d: got %+v", code, r)
			}
		}
	}
}

func TestClassifyStatuses(t *testing.T) {
	for status := 100; status < 1000; status++ {
		want := ambiguous
		switch status {
		case 301, 307, 308, 407, 421, 423, 425:
			want = unavailable
		case 429:
			want = verdict{Kind: outcome.Throttled, Reason: outcome.ReasonRateLimited}
		case 408, 499:
		default:
			if status/100 == 4 {
				want = unavailable // a proxy's answer
			}
		}
		for _, body := range []string{"", "<html><h1>Forbidden</h1></html>", "[]", "{}", `{"message":"Forbidden"}`, `{"code":403,"message":"Forbidden"}`, `"21610"`, `{"code":216`} {
			got := verdictOf(t, twilio.Classify(twilio.Attempt{Status: status, Body: []byte(body), Written: true}))
			if got != want.status(status) {
				t.Errorf("%d %s: got %+v, want %+v", status, body, got, want)
			}
		}
	}
}

// TestClassifyBelievesNoOtherSID: a 2xx counts only with a message of the account.
func TestClassifyBelievesNoOtherSID(t *testing.T) {
	const good = "SM00112233445566778899aabbccddeeff"
	for body, want := range map[string]string{
		`{"sid":"` + good + `"}`:                                      good,
		`{"sid":"` + good + `","account_sid":"AC0123"}`:               good,
		`{"sid":"` + good + `","account_sid":"ac0123"}`:               good,
		`{"sid":"` + good + `","account_sid":null}`:                   good,
		`{"sid":"` + good + `","num_segments":{},"error_code":["x"]}`: good,
		`{"sid":"mm` + good[2:] + `"}`:                                "mm" + good[2:],
		`{"sid":"MM` + strings.ToUpper(good[2:]) + `"}`:               "MM" + strings.ToUpper(good[2:]),
		`{"sid":"` + good + `","account_sid":"AC9999"}`:               "",
		`{"sid":"` + good + `","account_sid":""}`:                     "",
		`{"sid":"` + good + `0"}`:                                     "",
		`{"sid":"` + good[:33] + `"}`:                                 "",
		`{"sid":"` + good[:33] + `g"}`:                                "",
		`{"sid":"` + good[:33] + `\u0000"}`:                           "",
		`{"sid":"CA` + good[2:] + `"}`:                                "",
		`{"sid":"` + strings.Repeat("SM0123", 10_000) + `"}`:          "",
		`{"sid":["` + good + `"]}`:                                    "",
		`{"sid":"` + good + `"`:                                       "",
		`{"sid":"` + good + `"}{}`:                                    "",
	} {
		r := twilio.Classify(twilio.Attempt{Account: "AC0123", Status: 201, Body: []byte(body), Written: true})
		if r.SID != want || (r.Kind == outcome.Sent) != (want != "") || r.Kind != outcome.Sent && r.Kind != outcome.Ambiguous {
			t.Errorf("%.80s: %v with %.80q", body, r.Kind, r.SID)
		}
	}
}

func TestClassifyRequestID(t *testing.T) {
	for id, want := range map[string]string{
		"RQ00112233445566778899aabbccddeeff": "RQ00112233445566778899aabbccddeeff", "x-1": "x-1",
		"": "", "a b": "", "a\u009b": "", strings.Repeat("x", 65): "",
	} {
		if r := twilio.Classify(twilio.Attempt{Status: 503, Header: http.Header{"Twilio-Request-Id": {id}}}); r.RequestID != want {
			t.Errorf("%.80q: got %.80q", id, r.RequestID)
		}
	}
}

func TestClassifyWithoutAnAnswer(t *testing.T) {
	for _, err := range []error{io.EOF, context.Canceled, context.DeadlineExceeded, errors.New("reset"), nil} {
		if got := verdictOf(t, twilio.Classify(twilio.Attempt{Err: err})); got != unavailable {
			t.Errorf("%v, nothing written: got %+v", err, got)
		}
		if got := verdictOf(t, twilio.Classify(twilio.Attempt{Err: err, Written: true})); got != ambiguous {
			t.Errorf("%v, written: got %+v", err, got)
		}
	}
}

func TestClassifyRetryAfter(t *testing.T) {
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return at.Add(d).Format(http.TimeFormat) }
	for _, tc := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{}, 0},
		{http.Header{"Retry-After": {"5"}}, 5 * time.Second},
		{http.Header{"Retry-After": {" 0.5 "}}, 500 * time.Millisecond},
		{http.Header{"Retry-After": {"0"}}, 0},
		{http.Header{"Retry-After": {"-5"}}, 0},
		{http.Header{"Retry-After": {"NaN"}}, 0},
		{http.Header{"Retry-After": {"1e300"}}, time.Hour},
		{http.Header{"Retry-After": {"soon"}}, 0},
		{http.Header{"Retry-After": {date(9 * time.Second)}}, 9 * time.Second},
		{http.Header{"Retry-After": {date(-time.Second)}}, 0},
		{http.Header{"Retry-After": {date(9 * time.Second)}, "Date": {date(7 * time.Second)}}, 2 * time.Second},
	} {
		got := twilio.Classify(twilio.Attempt{Status: 429, Header: tc.header, At: at, Written: true}).RetryAfter
		if got != tc.want {
			t.Errorf("%v: got %v, want %v", tc.header, got, tc.want)
		}
	}
}

func TestSendErrorText(t *testing.T) {
	for _, tc := range []struct {
		attempt twilio.Attempt
		want    string
	}{
		{twilio.Attempt{Status: 400, Body: []byte(`{"code":21211,"message":"The 'To' number +15551234567 is not valid"}`)},
			"send message: HTTP 400 Bad Request, code 21211: The 'To' number +15***567 is not valid"},
		{twilio.Attempt{Status: 503, Body: []byte(`<html>`)}, "send message: HTTP 503 Service Unavailable: may have been sent"},
		{twilio.Attempt{Err: context.Canceled}, "send message: not sent: context canceled"},
		{twilio.Attempt{Err: context.DeadlineExceeded, Written: true}, "send message: may have been sent: context deadline exceeded"},
	} {
		r := twilio.Classify(tc.attempt)
		if r.Err.Error() != tc.want {
			t.Errorf("got  %s\nwant %s", r.Err, tc.want)
		}
		if !errors.Is(r.Err, tc.attempt.Err) && tc.attempt.Err != nil {
			t.Errorf("%v doesn't wrap %v", r.Err, tc.attempt.Err)
		}
	}
}

// TestSendErrorLeavesOutWhatRepeatsTheNumber: in whatever form.
func TestSendErrorLeavesOutWhatRepeatsTheNumber(t *testing.T) {
	for message, want := range map[string]string{
		"no route to +1_415_555_0123":             ": no route to +14***123",
		"no route to ＋１４１５５５５０１２３":                ": no route to ＋14***123",
		"no route to 1, 415, then 555, then 0123": "",
		"no route to 4 1 5 x 5 5 5 y 0 1 2 3":     "",
		"no route to ٤١٥ x ٥٥٥٠ y ١٢٣":            "",
		"no route to 415 555 0124":                ": no route to 41***124",
	} {
		body, _ := json.Marshal(map[string]any{"code": 21612, "message": message})
		r := twilio.Classify(twilio.Attempt{To: "whatsapp:+1 (415) 555-0123", Status: 400, Body: body})
		if got := r.Err.Error(); got != "send message: HTTP 400 Bad Request, code 21612"+want {
			t.Errorf("%s: %s", message, got)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(201, []byte(`{"sid":"`+sid("1")+`"}`), "", true, false)
	f.Add(400, []byte(`{"code":21610,"message":"no +15551234567"}`), "3", true, false)
	f.Add(503, []byte(`<html>`), "Mon, 02 Jan 2006 15:04:05 GMT", true, true)
	f.Add(201, []byte(`{"sid":"`+sid("1")+`"}`), "", true, true) // whole, but cut off
	f.Add(0, []byte(nil), "", false, true)
	f.Fuzz(func(t *testing.T, status int, body []byte, retryAfter string, written, failed bool) {
		a := twilio.Attempt{Status: status, Body: body, Header: http.Header{"Retry-After": {retryAfter}}, Written: written}
		if failed {
			a.Err = io.ErrUnexpectedEOF
		}
		r := twilio.Classify(a)
		switch {
		case r.Kind < outcome.Sent || r.Kind > outcome.Ambiguous:
			t.Fatalf("kind %d", r.Kind)
		case (r.Kind == outcome.Sent) != (r.SID != "") || (r.Kind == outcome.Sent) != (r.Err == nil):
			t.Fatalf("%+v", r)
		case (r.Kind == outcome.Sent) != (r.Reason == outcome.ReasonNone):
			t.Fatalf("%+v", r)
		case r.Kind == outcome.Sent && (status < 200 || status > 299 || failed):
			t.Fatalf("sent by %+v", a)
		case status >= 500 && r.Kind != outcome.Ambiguous:
			t.Fatalf("%d is %v", status, r.Kind)
		case r.RetryAfter < 0 || r.RetryAfter > time.Hour:
			t.Fatalf("retry after %v", r.RetryAfter)
		}
		if r.Err != nil && hasDigits(strings.TrimPrefix(r.Err.Error(), fmt.Sprintf("send message: HTTP %d", status)), 7) {
			t.Fatalf("a number in %q", r.Err)
		}
	})
}

// hasDigits tells whether s has a run of n digits.
func hasDigits(s string, n int) bool {
	run := 0
	for _, c := range []byte(s) {
		if run++; c < '0' || c > '9' {
			run = 0
		}
		if run == n {
			return true
		}
	}
	return false
}
