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
	"strconv"
	"time"

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

// Get is the body of the 2xx answer for url, which is JSON. It tries again, with
// a jittered pause, what may pass: 429, 5xx, transport errors and what isn't the
// vendor's answer. Every other error, and the last one, is an *Error that names
// op. When ctx ends, it wraps ctx's error.
func (g *Getter) Get(ctx context.Context, op, url string) ([]byte, error) {
	var body []byte
	err := g.Read(ctx, op, url, func(answer io.Reader) error {
		var err error
		if body, err = io.ReadAll(answer); err == nil && !json.Valid(body) {
			err = ErrNotJSON
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Read is Get for an answer that isn't to be held whole: read is given the body
// of a 2xx, in each attempt anew. Its error, unless it is an *Error, counts as
// one of the transport: it may pass.
func (g *Getter) Read(ctx context.Context, op, url string, read func(io.Reader) error) error {
	backoff := g.Backoff
	for attempt := 1; ; attempt++ {
		failure := g.attempt(ctx, op, url, read)
		if failure == nil {
			return nil
		}
		pause := failure.RetryAfter
		if pause == 0 && backoff > 0 {
			pause = rand.N(backoff) + 1
		}
		if !failure.Retryable || attempt >= g.Attempts || pause > maxBackoff || ctx.Err() != nil {
			return failure
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			return failure
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return failure
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// attempt is one GET.
func (g *Getter) attempt(ctx context.Context, op, url string, read func(io.Reader) error) *Error {
	if g.Limiter != nil {
		if err := g.Limiter.Wait(ctx); err != nil {
			return &Error{Op: op, Retryable: true, Err: fmt.Errorf("wait for the rate limit: %w", err)}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return &Error{Op: op, Err: errors.New("the base URL is not a URL")}
	}
	req.SetBasicAuth(g.Username, g.Password)
	req.Header.Set("Accept", "application/json")
	resp, err := g.HTTP.Do(req)
	if err != nil {
		return &Error{Op: op, Retryable: true, Err: StripURL(err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return g.refusal(op, resp)
	}
	defer drain(resp.Body)
	err = read(&limited{r: resp.Body, left: g.MaxBody})
	if err == nil {
		return nil
	}
	if told, ok := errors.AsType[*Error](err); ok {
		return told
	}
	return &Error{Op: op, Status: resp.StatusCode, Retryable: !errors.Is(err, ErrTooLarge), Err: err}
}

// refusal is what an answer other than 2xx says.
func (g *Getter) refusal(op string, resp *http.Response) *Error {
	var body bytes.Buffer
	err := ReadBody(&body, resp.Body, maxRefusal)
	now := time.Now
	if g.Now != nil {
		now = g.Now
	}
	e := &Error{Op: op, Status: resp.StatusCode, Retryable: RetryableStatus(resp.StatusCode), RetryAfter: RetryAfter(resp.Header, now())}
	e.Code, e.Message = ErrorBody(body.Bytes())
	if resp.StatusCode/100 == 4 && (err != nil || !vendors(body.Bytes())) {
		e.Retryable = true
	}
	return e
}

// vendors reports whether a refusal is the vendor's: it is a JSON object, or
// nothing. A page is a proxy's or a load balancer's, and may pass.
func vendors(body []byte) bool {
	var object struct{}
	return len(body) == 0 || json.Unmarshal(body, &object) == nil
}

// maxRefusal bounds what is read of a refusal: an error is a few hundred bytes.
const maxRefusal = 64 << 10

// limited reads up to left bytes, and fails where there are more.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if int64(n) > l.left {
		n, err = int(l.left), ErrTooLarge
	}
	l.left -= int64(n)
	return n, err
}

// ErrNotJSON is an answer of a proxy's, or one that was cut off.
var ErrNotJSON = errors.New("the answer is not JSON")

// ErrTooLarge is a body above its limit.
var ErrTooLarge = errors.New("the answer is too large")

// drainLimit is how much more of a body is read, and thrown away, to keep its
// connection; closing one connection is cheaper than reading on.
const drainLimit = 256 << 10

// ReadBody reads body into the buffer, up to limit bytes, and closes it, so that
// the connection can be used again. What was read is there with an error too.
func ReadBody(into *bytes.Buffer, body io.ReadCloser, limit int64) error {
	_, err := into.ReadFrom(&limited{r: body, left: limit})
	if err != nil {
		drain(body)
		return err
	}
	_ = body.Close() // at its end: what there is was read
	return nil
}

// drain reads what little is left of body and closes it. Should it fail, the
// connection is closed instead of kept: no error of ours.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, drainLimit)
	_ = body.Close()
}

// ErrorBody reads Twilio's error object leniently: the code as a number or in
// quotes, and the message, masked. A code is Twilio's from 10,000 on: others'
// answers repeat the HTTP status, or count their own errors, below that.
// Anything else is 0 and "".
func ErrorBody(body []byte) (code int, message string) {
	var told struct{ Code, Message any }
	if json.Unmarshal(body, &told) != nil {
		return 0, ""
	}
	switch n := told.Code.(type) {
	case float64:
		code = int(min(max(n, 0), maxCode))
	case string:
		code, _ = strconv.Atoi(n)
	}
	if code < minCode || code >= maxCode {
		code = 0
	}
	if text, ok := told.Message.(string); ok {
		message = MaskText(text)
	}
	return code, message
}

const minCode, maxCode = 10_000, 1_000_000
