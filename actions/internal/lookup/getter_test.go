package lookup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"engage-worker/actions/internal/lookup"
)

// script is a transport that plays answers one after the other; what it
// stands for, a connection, is tested where there is a protocol.
type script struct {
	steps []func(*http.Request) (*http.Response, error)
	times []time.Duration // of the requests, since start
	start time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.times = append(s.times, time.Since(s.start))
	step := s.steps[min(len(s.times), len(s.steps))-1]
	return step(r)
}

func status(code int, body string, header http.Header) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func broken(*http.Request) (*http.Response, error) { return nil, errors.New("reset by +15551234567") }

func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func newGetter(s *script) *lookup.Getter {
	s.start = time.Now()
	return &lookup.Getter{
		HTTP: &http.Client{Transport: s}, Username: "u", Password: "p",
		Attempts: 3, Timeout: 5 * time.Second, Backoff: 100 * time.Millisecond, MaxBody: 20,
	}
}

func TestGetTriesAgain(t *testing.T) {
	ok, down := status(200, `{"a":1}`, nil), status(503, ``, nil)
	for name, tc := range map[string]struct {
		steps        []func(*http.Request) (*http.Response, error)
		wantErr      *lookup.Error // nil: the answer is had
		wantRequests int
	}{
		"at once":              {[]func(*http.Request) (*http.Response, error){ok}, nil, 1},
		"after a failure":      {[]func(*http.Request) (*http.Response, error){down, ok}, nil, 2},
		"after two":            {[]func(*http.Request) (*http.Response, error){down, broken, ok}, nil, 3},
		"after silence":        {[]func(*http.Request) (*http.Response, error){silent, ok}, nil, 2},
		"after half a page":    {[]func(*http.Request) (*http.Response, error){status(200, `{"a":`, nil), ok}, nil, 2},
		"not after three":      {[]func(*http.Request) (*http.Response, error){down}, &lookup.Error{Status: 503, Retryable: true}, 3},
		"not what is refused":  {[]func(*http.Request) (*http.Response, error){status(404, ``, nil), ok}, &lookup.Error{Status: 404}, 1},
		"a proxy's refusal":    {[]func(*http.Request) (*http.Response, error){status(403, `<html>`, nil), ok}, nil, 2},
		"another kind of JSON": {[]func(*http.Request) (*http.Response, error){status(404, `"gone"`, nil), ok}, nil, 2},
		"not the vendor's":     {[]func(*http.Request) (*http.Response, error){status(404, `{"error":{}}`, nil), ok}, &lookup.Error{Status: 404}, 1},
		"not a redirect":       {[]func(*http.Request) (*http.Response, error){status(302, ``, nil), ok}, &lookup.Error{Status: 302}, 1},
		"not what is too large": {[]func(*http.Request) (*http.Response, error){status(200, `"`+strings.Repeat("x", 30)+`"`, nil), ok},
			&lookup.Error{Status: 200}, 1},
		"not before a long time": {[]func(*http.Request) (*http.Response, error){status(429, ``, http.Header{"Retry-After": {"60"}}), ok},
			&lookup.Error{Status: 429, Retryable: true, RetryAfter: time.Minute}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: tc.steps}
				body, err := newGetter(s).Get(t.Context(), "look up", "http://x.example/secret")
				if len(s.times) != tc.wantRequests {
					t.Errorf("%d requests, want %d", len(s.times), tc.wantRequests)
				}
				if tc.wantErr == nil {
					if err != nil || string(body) != `{"a":1}` {
						t.Errorf("got %q, %v", body, err)
					}
					return
				}
				got, ok := errors.AsType[*lookup.Error](err)
				if !ok || got.Op != "look up" || got.Status != tc.wantErr.Status || got.Retryable != tc.wantErr.Retryable || got.RetryAfter != tc.wantErr.RetryAfter {
					t.Errorf("got %+v, want %+v", err, tc.wantErr)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("error tells the URL: %v", err)
				}
			})
		})
	}
}

func TestGetHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []func(*http.Request) (*http.Response, error){
			status(429, ``, http.Header{"Retry-After": {"2"}}), status(200, `{}`, nil),
		}}
		if _, err := newGetter(s).Get(t.Context(), "look up", "http://x.example"); err != nil || len(s.times) != 2 || s.times[1] != 2*time.Second {
			t.Errorf("%v, requests at %v", err, s.times)
		}
	})
}

func TestGetStaysWithinItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A pause that the deadline doesn't leave time for isn't begun.
		s := &script{steps: []func(*http.Request) (*http.Response, error){status(429, ``, http.Header{"Retry-After": {"2"}})}}
		g := newGetter(s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := g.Get(ctx, "look up", "http://x.example")
		if e, ok := errors.AsType[*lookup.Error](err); !ok || e.Status != 429 || time.Since(s.start) != 0 {
			t.Errorf("got %v after %v", err, time.Since(s.start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []func(*http.Request) (*http.Response, error){silent}}
		g := newGetter(s)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := g.Get(ctx, "look up", "http://x.example")
		if !errors.Is(err, context.Canceled) || time.Since(s.start) != time.Second || len(s.times) != 1 {
			t.Errorf("got %v after %v and %d requests", err, time.Since(s.start), len(s.times))
		}
	})
}

func TestGetIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []func(*http.Request) (*http.Response, error){status(200, `{}`, nil)}}
		g := newGetter(s)
		g.Limiter = rate.NewLimiter(10, 1)
		for range 11 {
			if _, err := g.Get(t.Context(), "look up", "http://x.example"); err != nil {
				t.Fatal(err)
			}
		}
		if last := s.times[10]; last != time.Second {
			t.Errorf("the eleventh request at %v, want 1s", last)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := g.Get(ctx, "look up", "http://x.example")
		if e, ok := errors.AsType[*lookup.Error](err); !ok || !e.Retryable || len(s.times) != 11 {
			t.Errorf("got %v after %d requests", err, len(s.times))
		}
	})
}

func TestRetryableStatus(t *testing.T) {
	for code := range 1000 {
		want := code >= 500 && code != 501 || code == 408 || code == 423 || code == 425 || code == 429
		if got := lookup.RetryableStatus(code); got != want {
			t.Errorf("%d: %v", code, got)
		}
	}
}

// body is a response's, which tells whether it was closed.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error { b.closed = true; return nil }

func TestReadBody(t *testing.T) {
	for _, tc := range []struct {
		body    io.Reader
		want    string
		wantErr error
		left    int // bytes
	}{
		{strings.NewReader("12345"), "12345", nil, 0},
		{strings.NewReader("123456"), "12345", lookup.ErrTooLarge, 0},
		{strings.NewReader(strings.Repeat("1", 1<<20)), "11111", lookup.ErrTooLarge, 1<<20 - 256<<10 - 6},
		{io.MultiReader(strings.NewReader("123"), iotest.ErrReader(io.ErrUnexpectedEOF)), "123", io.ErrUnexpectedEOF, 0},
	} {
		b := &body{Reader: tc.body}
		var got bytes.Buffer
		err := lookup.ReadBody(&got, b, 5)
		if got.String() != tc.want || !errors.Is(err, tc.wantErr) || !b.closed {
			t.Errorf("got %q, %v, closed %v; want %q, %v", got.String(), err, b.closed, tc.want, tc.wantErr)
		}
		if s, ok := tc.body.(*strings.Reader); ok && s.Len() != tc.left {
			t.Errorf("%d bytes left, want %d", s.Len(), tc.left)
		}
	}
}
