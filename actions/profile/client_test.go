package profile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/profile"
)

// newClient is a client of a server with h; both end with the test.
func newClient(t *testing.T, h http.HandlerFunc, cfg profile.Config) *profile.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	cfg.SpaceID, cfg.Token, cfg.BaseURL = "spa_1", "ptok", server.URL
	c := profile.New(cfg)
	t.Cleanup(c.Close)
	return c
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere") // counts for a redirect only
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestTraitsAsksAsTheHostedDestination(t *testing.T) {
	for id, want := range map[string]string{
		"jane":             "jane",
		"jane@example.com": "jane%40example.com",
		"a/b?c#d e+f%":     "a%2Fb%3Fc%23d%20e%2Bf%25",
		"-_.!~*'()":        "-_.!~*%27()",
		"..":               "..",
		"../../secret":     "..%2F..%2Fsecret",
		"Zoë":              "Zo%C3%AB",
	} {
		var got string
		c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			got = fmt.Sprintf("%s %s %s:%s", r.Method, r.RequestURI, user, password)
			answer(200, `{"traits":{}}`)(w, r)
		}, profile.Config{})
		if _, err := c.Traits(t.Context(), id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		if want := "GET /v1/spaces/spa_1/collections/users/profiles/user_id:" + want + "/traits?limit=200 ptok:"; got != want {
			t.Errorf("%q: got %s, want %s", id, got, want)
		}
	}
}

func TestTraits(t *testing.T) {
	for body, want := range map[string]string{
		`{"traits":{"name":"Jane","ltv":12.50,"vip":true,"tags":["a"],"address":{"zip":"1"},"x":null},"cursor":{}}`://
		`{"name":"Jane","ltv":12.5,"vip":true,"tags":["a"],"address":{"zip":"1"},"x":null}`,
		`{"traits":{}}`:            `{}`,
		`{"traits":{"x":1e999}}`:   `{"x":null}`, // infinite, as in JavaScript
		`{"traits":null}`:          `null`,
		`{"traits":["no object"]}`: `null`,
		`{}`:                       `null`,
		`[]`:                       `null`,
	} {
		c := newClient(t, answer(200, body), profile.Config{})
		for range 2 { // looked up, then remembered
			got, err := c.Traits(t.Context(), "jane")
			if err != nil || jsvalue.Encode(got) != want {
				t.Errorf("%s: got %v, %v", body, got, err)
			}
			if o, ok := got.(*jsvalue.Object); ok {
				o.Set("changed", true) // the caller's own
			}
		}
	}
}

func TestTraitsErrors(t *testing.T) {
	for _, tc := range []struct {
		status        int
		body          string
		wantRetryable bool
		wantRequests  int32 // of two look-ups
	}{
		{404, `{"error":{"message":"the resource was not found"}}`, false, 1}, // remembered for a moment
		{401, ``, false, 1},
		{302, ``, false, 1},
		{429, ``, true, 6},
		{500, `{}`, true, 6},
		{200, `<html>`, true, 6},
	} {
		t.Run(fmt.Sprint(tc.status, tc.body), func(t *testing.T) {
			t.Parallel() // the pauses between attempts are real
			var requests atomic.Int32
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				answer(tc.status, tc.body)(w, r)
			}, profile.Config{})
			for range 2 {
				_, err := c.Traits(t.Context(), "jane@example.com")
				e, ok := errors.AsType[*profile.LookupError](err)
				if !ok || e.Status != tc.status || e.Retryable != tc.wantRetryable {
					t.Errorf("%d %s: got %+v", tc.status, tc.body, err)
				}
				if err != nil && strings.Contains(err.Error(), "jane") {
					t.Errorf("error tells the user: %v", err)
				}
			}
			if requests.Load() != tc.wantRequests {
				t.Errorf("%d %s: %d requests, want %d", tc.status, tc.body, requests.Load(), tc.wantRequests)
			}
		})
	}
}

func TestTraitsWithoutAUser(t *testing.T) {
	c := newClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") }, profile.Config{})
	_, err := c.Traits(t.Context(), "")
	if e, ok := errors.AsType[*profile.LookupError](err); !ok || e.Retryable {
		t.Errorf("got %v", err)
	}
}

func TestTraitsAreForgotten(t *testing.T) {
	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	var requests atomic.Int32
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		answer(200, fmt.Sprintf(`{"traits":{"n":%d}}`, requests.Add(1)))(w, r)
	}, profile.Config{Now: func() time.Time { return now }})
	var got []any
	for range 4 {
		traits, err := c.Traits(t.Context(), "jane")
		if err != nil {
			t.Fatal(err)
		}
		n, _ := jsvalue.Get(traits, "n")
		got = append(got, n)
		now = now.Add(30 * time.Second)
	}
	if want := []any{1.0, 1.0, 2.0, 2.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// One who gives up fails nobody else, and the others share one answer.
func TestTraitsAreShared(t *testing.T) {
	var requests atomic.Int32
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	var mu sync.Mutex
	observed := map[string]int{}
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
			return
		}
		answer(200, `{"traits":{"name":"Jane"}}`)(w, r)
	}, profile.Config{Timeout: time.Minute, Observe: func(kind, result string) {
		mu.Lock()
		defer mu.Unlock()
		observed[kind+" "+result]++
	}})

	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	callers.Go(func() {
		_, err := c.Traits(ctx, "jane")
		if e, ok := errors.AsType[*profile.LookupError](err); !ok || !e.Retryable || !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left got %v", err)
		}
	})
	<-arrived
	for range 8 {
		callers.Go(func() {
			traits, err := c.Traits(t.Context(), "jane")
			if err != nil || jsvalue.Encode(traits) != `{"name":"Jane"}` {
				t.Errorf("got %v, %v", traits, err)
			}
		})
	}
	cancel()
	<-arrived // another one took over
	close(release)
	callers.Wait()
	if requests.Load() != 2 || observed["profile error"] != 1 || observed["profile ok"] != 1 ||
		observed["profile merged"]+observed["profile hit"] != 7 {
		t.Errorf("%d requests, observed %v", requests.Load(), observed)
	}
}

func TestBaseURL(t *testing.T) {
	for _, tc := range []struct{ hostname, region, environment, want string }{
		{"", "us-west-2", "production", "https://profiles.segment.com"},
		{"", "", "production", "https://profiles.segment.com"},
		{"", "eu-west-1", "production", "https://profiles.euw1.segment.com"},
		{"", "us-west-2", "stage", "https://profiles.segment.build"},
		{"", "eu-west-1", "stage", "https://profiles.euw1.segment.build"},
		{"", "eu-west-1", "", "https://profiles.euw1.segment.build"},
		{"http://127.0.0.1:4010", "eu-west-1", "stage", "http://127.0.0.1:4010"},
		{"profiles.example", "", "production", "https://profiles.example"},
		{"profiles.example/path", "", "production", ""},
	} {
		got, err := profile.BaseURL(tc.hostname, tc.region, tc.environment)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%+v: got %q, %v", tc, got, err)
		}
	}
}
