package lookup

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is why a look-up gave nothing. Its text holds no URL, body, id or
// secret; a vendor's own words are in Message, with long digits masked.
type Error struct {
	Op         string        // what was tried: "look up profile traits"
	Status     int           // HTTP status, 0 without an answer
	Code       int           // Twilio's error code, 0 if none
	Message    string        // the vendor's words, masked, or ""
	Retryable  bool          // another attempt may succeed
	RetryAfter time.Duration // what the answer asked for, 0 if nothing
	Err        error         // the cause, or nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": HTTP %d", e.Status)
		if text := http.StatusText(e.Status); text != "" {
			b.WriteString(" " + text)
		}
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, ", code %d", e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + Cause(e.Err))
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// RetryableStatus reports whether a GET that was answered so may succeed later:
// what the hosted destination retries (408, 423, 429 and 5xx but 501), and
// 425. A redirect is not followed and not retried: it means that the
// hostname is not the API's.
func RetryableStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return status >= 500
}
