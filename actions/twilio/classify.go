package twilio

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"engage-worker/actions/internal/lookup"
	"engage-worker/actions/outcome"
)

// Attempt is everything that is known of one request to create a message.
type Attempt struct {
	Status  int         // of the answer, 0 without one
	Header  http.Header // of the answer, or nil
	Body    []byte      // of the answer, as far as it was read
	SID     string      // the message's, where it is known already; else it is read from Body
	Err     error       // why there is no answer or no whole Body, or nil
	Written bool        // any byte of the request may have left
	At      time.Time   // when it ended; measures a Retry-After without a Date
}

// Classify decides what an attempt came to. It is pure. A request without an
// answer was not processed when nothing of it was written, and may have been
// otherwise; with an answer, the status decides, then Twilio's code:
//
//	2xx                  Sent with a SID, Ambiguous without
//	301 307 308          Unavailable: the host is not Twilio's API, so nothing was processed;
//	                     retried, since a misconfigured or intercepted host mends for all messages at once
//	other 1xx, 3xx       Ambiguous: 302 and 303 are also answers to a processed POST
//	407 421 423 425      Unavailable: refused before processing, by others than Twilio's API
//	408 499              Ambiguous: something in between gave up waiting
//	429                  Throttled
//	other 4xx            by code: Throttled, Ambiguous (20500, 20503) or Refused with its class;
//	                     Unavailable when the body, and the code with it, was cut off
//	5xx, anything else   Ambiguous, whatever the body says
//
// The reason of what isn't refused is the one that its delivery gets when no
// further attempt is made.
func Classify(a Attempt) Result {
	r := Result{
		Status:     a.Status,
		RequestID:  a.Header.Get("Twilio-Request-Id"),
		RetryAfter: lookup.RetryAfter(a.Header, a.At),
		Header:     a.Header,
	}
	if a.Status >= 200 && a.Status <= 299 {
		if r.SID = sidOf(a); r.SID != "" {
			r.Kind = outcome.Sent
			return r
		}
	}
	cause := &SendError{Status: a.Status, Err: a.Err}
	if a.Status != 0 {
		r.Code, cause.Message = lookup.ErrorBody(a.Body)
		cause.Code = r.Code
	}
	r.Kind, r.Reason = kindOf(a, r.Code)
	cause.Kind, r.Err = r.Kind, cause
	return r
}

// kindOf classifies an attempt that isn't sent.
func kindOf(a Attempt, code int) (outcome.Kind, outcome.Reason) {
	switch s := a.Status; {
	case s == 0 && errors.Is(a.Err, errBaseURL):
		return outcome.Refused, outcome.ReasonTwilioRejected
	case s == 0 && !a.Written:
		return outcome.Unavailable, outcome.ReasonTwilioUnavailable
	case s == http.StatusMovedPermanently, s == http.StatusTemporaryRedirect, s == http.StatusPermanentRedirect,
		s == http.StatusProxyAuthRequired, s == http.StatusMisdirectedRequest, s == http.StatusLocked, s == http.StatusTooEarly:
		return outcome.Unavailable, outcome.ReasonTwilioUnavailable
	case s == http.StatusTooManyRequests:
		return outcome.Throttled, outcome.ReasonRateLimited
	case s < 400 || s > 499, s == http.StatusRequestTimeout, s == statusClientClosedRequest:
		return outcome.Ambiguous, outcome.ReasonOutcomeUnknown
	}
	if code == 0 && a.Err != nil && !errors.Is(a.Err, lookup.ErrTooLarge) {
		return outcome.Unavailable, outcome.ReasonTwilioUnavailable
	}
	return classOf(code).outcome()
}

// statusClientClosedRequest is what nginx answers, or logs, when the side
// before it hangs up.
const statusClientClosedRequest = 499

// sidOf is the created message's SID. Of the body nothing else is looked at, for
// the day that Twilio gives another field another type: the SID is there, and
// the message is sent.
func sidOf(a Attempt) string {
	if a.SID != "" || a.Err != nil || !json.Valid(a.Body) {
		return a.SID
	}
	if sid := gjson.GetBytes(a.Body, "sid"); sid.Type == gjson.String {
		return sid.Str
	}
	return ""
}
