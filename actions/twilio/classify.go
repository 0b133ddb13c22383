package twilio

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"engage-worker/actions/internal/lookup"
	"engage-worker/actions/outcome"
	"engage-worker/actions/trigger"
)

// Attempt is everything that is known of one request to create a message.
type Attempt struct {
	Account string      // whose message it is, "" for anybody's
	To      string      // the message's recipient, whose number no error tells
	Status  int         // of the answer, 0 without one
	Header  http.Header // of the answer, or nil
	Body    []byte      // of the answer, as far as it was read
	Err     error       // why there is no answer or no whole Body, or nil
	Written bool        // any byte of the request may have left
	Lone    bool        // the attempt before at this message, if any, wasn't answered with Twilio's 404
	At      time.Time   // when it ended; measures a Retry-After without a Date
}

// Classify decides what an attempt came to. It is pure. A request without an
// answer was not processed when nothing of it was written, and may have been
// otherwise; with an answer, the status decides, then Twilio's code:
//
//	2xx                  Sent with the SID of a message of the account, Ambiguous without
//	301 307 308          Unavailable: the host is not Twilio's API, so nothing was processed;
//	                     retried, since a misconfigured or intercepted host mends for all messages at once
//	other 1xx, 3xx       Ambiguous: 302 and 303 are also answers to a processed POST
//	407 421 423 425      Unavailable: refused before processing, by others than Twilio's API
//	408 499              Ambiguous: something in between gave up waiting
//	429                  Throttled
//	404 with 20404       Unavailable when it is a lone one: Twilio says so of accounts that exist, now and then
//	other 4xx            by code: Throttled, Ambiguous (20500, 20503) or Refused with its class;
//	                     Unavailable without a code of Twilio's: a proxy or a load balancer refused,
//	                     before Twilio, or the body was cut off
//	5xx, anything else   Ambiguous, whatever the body says
//
// The reason of what isn't refused is the one that its delivery gets when no
// further attempt is made.
func Classify(a Attempt) Result {
	r := Result{
		Status:     a.Status,
		RequestID:  requestID(a.Header),
		RetryAfter: lookup.RetryAfter(a.Header, a.At),
		Header:     a.Header,
	}
	cause := &SendError{Status: a.Status, Err: a.Err}
	if a.Status >= 200 && a.Status <= 299 {
		if r.SID = sidOf(a); r.SID != "" {
			r.Kind = outcome.Sent
			return r
		}
		if cause.Err == nil {
			cause.Err = errNoMessage
		}
	}
	if a.Status != 0 {
		r.Code, cause.Message = lookup.ErrorBody(a.Body)
		cause.Code = r.Code
		if repeats(cause.Message, a.To) {
			cause.Message = ""
		}
	}
	r.Kind, r.Reason = kindOf(a, r.Code)
	if r.Kind == outcome.Refused {
		r.Concerns = concernOf(a, r.Code)
	}
	cause.Kind, r.Err = r.Kind, cause
	return r
}

// concernOf is what a refusal is about. A 401 of Twilio's is about the key,
// whatever its code.
func concernOf(a Attempt, code int) Concern {
	if a.Status == http.StatusUnauthorized {
		return ConcernsAccount
	}
	return classOf(code).concerns()
}

// repeats reports whether text, masked though it is, holds the end of a
// recipient's number: with words between its digits, say.
func repeats(text, to string) bool {
	digits := lookup.Digits(to)
	return len(digits) >= 4 && strings.Contains(lookup.Digits(text), digits[max(0, len(digits)-7):])
}

// errNoMessage is why a 2xx isn't believed.
var errNoMessage = errors.New("the answer names no message of this account")

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
	case code == 0, notFound(s, code) && a.Lone:
		return outcome.Unavailable, outcome.ReasonTwilioUnavailable
	}
	return classOf(code).outcome()
}

// notFound reports whether Twilio says that the account doesn't exist.
func notFound(status, code int) bool { return status == http.StatusNotFound && code == codeNotFound }

const codeNotFound = 20404

// statusClientClosedRequest is what nginx answers, or logs, when the side
// before it hangs up.
const statusClientClosedRequest = 499

// sidOf is the created message's SID, or "" where the answer names no message
// of the account's. Of the body nothing else is looked at, for the day that
// Twilio gives another field another type: the SID is there, and the message
// is sent.
func sidOf(a Attempt) string {
	if a.Err != nil {
		return ""
	}
	created, err := trigger.Parse(a.Body) // which takes less than decoding all of it
	if err != nil {
		return ""
	}
	if a.Account != "" && isOthers(created, a.Account) {
		return ""
	}
	sid := created.Text("sid")
	if !isMessageSID(sid) {
		return ""
	}
	return sid
}

// isOthers reports whether the message names an account that isn't this one.
func isOthers(created trigger.Event, account string) bool {
	named := created.Field("account_sid")
	if len(named) == 0 || named[0] != '"' {
		return false
	}
	if string(named[1:len(named)-1]) == account { // as a rule
		return false
	}
	return !strings.EqualFold(created.Text("account_sid"), account)
}

// isMessageSID reports whether s is the SID of a message: SM or MM and 32
// hexadecimal digits.
func isMessageSID(s string) bool {
	if len(s) != 34 || !strings.EqualFold(s[:2], "SM") && !strings.EqualFold(s[:2], "MM") {
		return false
	}
	return strings.Trim(s[2:], "0123456789abcdefABCDEF") == ""
}

// requestID is what Twilio calls the request, RQ and 32 digits, or "".
// Something else's header of that name is kept when it is as short and plain.
func requestID(h http.Header) string {
	id := h.Get("Twilio-Request-Id")
	if len(id) > 64 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return id
}
