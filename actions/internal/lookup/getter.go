package lookup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/tidwall/gjson"
	"golang.org/x/time/rate"
)

// Getter performs GETs that change nothing, and may thus be repeated. It is
// safe for concurrent use.
type Getter struct {
	HTTP     *http.Client
	Limiter  *rate.Limiter // passed before every attempt; nil: none
	Username string        // of basic authentication
	Password string
	Attempts int              // in all, at least one
	Timeout  time.Duration    // of one attempt
	Backoff  time.Duration    // before the second attempt, at most; doubles from there
	MaxBody  int64            // answers above so many bytes are refused
	Now      func() time.Time // nil: time.Now
}

// maxBackoff bounds the pause between two attempts; a longer Retry-After is
// left to the caller, who doesn't hold anything up meanwhile.
const maxBackoff = 2 * time.Second

// Get is the body of the 2xx answer for url. It tries again, with a jittered
// pause, what may pass: 429, 5xx and transport errors. Every other error, and
// the last one, is an *Error that names op. When ctx ends, it wraps ctx's error.
func (g *Getter) Get(ctx context.Context, op, url string) ([]byte, error) {
	backoff := g.Backoff
	for attempt := 1; ; attempt++ {
		body, failure := g.attempt(ctx, op, url)
		if failure == nil {
			return body, nil
		}
		pause := failure.RetryAfter
		if pause == 0 && backoff > 0 {
			pause = rand.N(backoff) + 1
		}
		if !failure.Retryable || attempt >= g.Attempts || pause > maxBackoff || ctx.Err() != nil {
			return nil, failure
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			return nil, failure
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, failure
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// attempt is one GET.
func (g *Getter) attempt(ctx context.Context, op, url string) ([]byte, *Error) {
	if g.Limiter != nil {
		if err := g.Limiter.Wait(ctx); err != nil {
			return nil, &Error{Op: op, Retryable: true, Err: fmt.Errorf("wait for the rate limit: %w", err)}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, &Error{Op: op, Err: errors.New("the base URL is not a URL")}
	}
	req.SetBasicAuth(g.Username, g.Password)
	req.Header.Set("Accept", "application/json")
	resp, err := g.HTTP.Do(req)
	if err != nil {
		return nil, &Error{Op: op, Retryable: true, Err: StripURL(err)}
	}
	var buffer bytes.Buffer
	err = ReadBody(&buffer, resp.Body, g.MaxBody)
	body := buffer.Bytes()
	now := time.Now
	if g.Now != nil {
		now = g.Now
	}
	retryAfter := RetryAfter(resp.Header, now())
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		code, message := ErrorBody(body)
		return nil, &Error{
			Op: op, Status: resp.StatusCode, Code: code, Message: message,
			Retryable: RetryableStatus(resp.StatusCode), RetryAfter: retryAfter,
		}
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return nil, &Error{Op: op, Status: resp.StatusCode, Err: err}
	case err != nil:
		return nil, &Error{Op: op, Status: resp.StatusCode, Retryable: true, Err: err}
	case !json.Valid(body):
		// A proxy's page, or an answer that was cut off: it may pass.
		return nil, &Error{Op: op, Status: resp.StatusCode, Retryable: true, Err: errors.New("the answer is not JSON")}
	}
	return body, nil
}

// ErrTooLarge is a body above its limit.
var ErrTooLarge = errors.New("the answer is too large")

// drainLimit is how much more of a body is read, and thrown away, to keep its
// connection; closing one connection is cheaper than reading on.
const drainLimit = 256 << 10

// ReadBody reads body into the buffer, up to limit bytes, and closes it, so that
// the connection can be used again. What was read is there with an error too.
func ReadBody(into *bytes.Buffer, body io.ReadCloser, limit int64) error {
	defer body.Close()
	if _, err := into.ReadFrom(io.LimitReader(body, limit+1)); err != nil {
		return err
	}
	if int64(into.Len()) <= limit {
		return nil
	}
	into.Truncate(int(limit))
	// Should it fail, the connection is closed instead of kept: no error of ours.
	_, _ = io.CopyN(io.Discard, body, drainLimit)
	return ErrTooLarge
}

// ErrorBody reads Twilio's error object leniently: the code as a number or in
// quotes, and the message, masked. Anything else is 0 and "".
func ErrorBody(body []byte) (code int, message string) {
	// Not gjson's own check: it recurses as deep as the body is nested.
	if !json.Valid(body) {
		return 0, ""
	}
	fields := gjson.GetManyBytes(body, "code", "message")
	if n := fields[0].Int(); n > 0 && n < 1_000_000 {
		code = int(n)
	}
	if fields[1].Type == gjson.String {
		message = MaskText(fields[1].Str)
	}
	return code, message
}
