package twilio

import (
	"fmt"
	"net/http"
	"strings"

	"engage-worker/actions/internal/lookup"
	"engage-worker/actions/outcome"
)

// SendError is why an attempt didn't end as sent. Its text holds no body,
// number or secret.
type SendError struct {
	Kind    outcome.Kind
	Status  int    // HTTP status, 0 without an answer
	Code    int    // Twilio's error code, 0 if none
	Message string // Twilio's words, with numbers masked, or ""
	Err     error  // the transport's or the context's, or nil
}

func (e *SendError) Error() string {
	var b strings.Builder
	b.WriteString("send message")
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
	switch e.Kind {
	case outcome.Ambiguous:
		b.WriteString(": may have been sent")
	case outcome.Unavailable:
		b.WriteString(": not sent")
	}
	if e.Err != nil {
		b.WriteString(": " + lookup.Cause(e.Err))
	}
	return b.String()
}

func (e *SendError) Unwrap() error { return e.Err }
