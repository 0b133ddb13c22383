package twilio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/actions/internal/wire"
	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// newClient is a client that ends with the test.
func newClient(t testing.TB, cfg twilio.Config) *twilio.Client {
	t.Helper()
	cfg.AccountSID, cfg.KeySID, cfg.KeySecret = "AC0123", "SK0123", "sekret"
	c, err := twilio.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve runs a server that ends with the test.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// leave lets a request go.
func leave() error { return nil }

func message(baseURL string) *twilio.Message {
	return &twilio.Message{
		BaseURL: baseURL,
		To:      "+15551234567", From: "MG1111222233334444", Body: "Hi Jane & co",
		Form: []twilio.FormValue{
			{Name: "Body", Value: "Hi Jane & co"}, {Name: "From", Value: "MG1111222233334444"}, {Name: "To", Value: "+15551234567"},
			{Name: "ShortenUrls", Value: "true"}, {Name: "MediaUrl", Value: "https://a.example/1.png"}, {Name: "MediaUrl", Value: "https://a.example/2.png"},
			{Name: "Tags", Value: `{"k":"v"}`},
		},
	}
}

// answer is a handler that reads the request and answers.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// verdict is what a test compares of a Result.
type verdict struct {
	Kind       outcome.Kind
	Reason     outcome.Reason
	SID        string
	Status     int
	Code       int
	RetryAfter time.Duration
}

func verdictOf(t *testing.T, r twilio.Result) verdict {
	t.Helper()
	if (r.Err == nil) != (r.Kind == outcome.Sent) {
		t.Errorf("kind %v with error %v", r.Kind, r.Err)
	}
	if r.Err != nil {
		if _, ok := errors.AsType[*twilio.SendError](r.Err); !ok {
			t.Errorf("error is a %T", r.Err)
		}
		for _, secret := range []string{"5551234567", "sekret", "Jane", "AC0123"} {
			if strings.Contains(r.Err.Error(), secret) {
				t.Errorf("error tells %q: %v", secret, r.Err)
			}
		}
	}
	return verdict{r.Kind, r.Reason, r.SID, r.Status, r.Code, r.RetryAfter}
}

var (
	ambiguous   = verdict{Kind: outcome.Ambiguous, Reason: outcome.ReasonOutcomeUnknown}
	unavailable = verdict{Kind: outcome.Unavailable, Reason: outcome.ReasonTwilioUnavailable}
)

func (v verdict) status(status int) verdict { v.Status = status; return v }

func TestSendPostsTheForm(t *testing.T) {
	// twilio-go would send the request to another host for these.
	t.Setenv("TWILIO_EDGE", "dublin")
	t.Setenv("TWILIO_REGION", "ie1")
	type request struct {
		Method, URI, User, Password string
		Form                        url.Values
		Header                      http.Header
	}
	var got request
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got = request{Method: r.Method, URI: r.RequestURI, Form: r.PostForm, Header: r.Header}
		got.User, got.Password, _ = r.BasicAuth()
		answer(http.StatusCreated, `{"sid":"`+sid("1")+`","status":"queued","num_segments":"1"}`, "Twilio-Request-Id", "RQ1")(w, r)
	})
	r := newClient(t, twilio.Config{}).Send(t.Context(), message(server.URL), leave)
	if v := verdictOf(t, r); v != (verdict{Kind: outcome.Sent, SID: sid("1"), Status: 201}) || r.RequestID != "RQ1" || r.Header.Get("Twilio-Request-Id") != "RQ1" {
		t.Errorf("result %+v", r)
	}
	want := request{
		Method: "POST", URI: "/2010-04-01/Accounts/AC0123/Messages.json", User: "SK0123", Password: "sekret",
		Form: url.Values{
			"Body": {"Hi Jane & co"}, "From": {"MG1111222233334444"}, "To": {"+15551234567"}, "ShortenUrls": {"true"},
			"MediaUrl": {"https://a.example/1.png", "https://a.example/2.png"}, "Tags": {`{"k":"v"}`},
		},
		// No Idempotency-Key: net/http would repeat the POST.
		Header: http.Header{
			"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"},
			"User-Agent": {"engage-worker twilio-go/1.31.0"}, "Authorization": got.Header["Authorization"], "Content-Length": got.Header["Content-Length"],
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestSendAnswers(t *testing.T) {
	huge := strings.Repeat("x", 3<<20)
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    verdict
	}{
		"200 with a SID":               {answer(200, `{"sid":"`+sid("1")+`"}`), verdict{Kind: outcome.Sent, SID: sid("1"), Status: 200}},
		"other types than documented":  {answer(201, `{"sid":"`+sid("1")+`","num_segments":1,"error_code":"x"}`), verdict{Kind: outcome.Sent, SID: sid("1"), Status: 201}},
		"201 without a SID":            {answer(201, `{"status":"queued"}`), ambiguous.status(201)},
		"201 with a null SID":          {answer(201, `{"sid":null}`), ambiguous.status(201)},
		"201 with an empty body":       {answer(201, ``), ambiguous.status(201)},
		"201 with garbage":             {answer(201, `<html>Hi Jane +15551234567</html>`), ambiguous.status(201)},
		"201 with a huge body":         {answer(201, `{"sid":"`+sid("1")+`","body":"`+huge+`"}`), ambiguous.status(201)},
		"201 with an error":            {answer(201, `{"code":21610,"message":"unsubscribed","status":400}`), verdict{ambiguous.Kind, ambiguous.Reason, "", 201, 21610, 0}},
		"201 with an error and a SID":  {answer(201, `{"sid":"`+sid("1")+`","error_code":30008,"status":"failed"}`), verdict{Kind: outcome.Sent, SID: sid("1"), Status: 201}},
		"201 with a SID in small":      {answer(201, `{"sid":"`+strings.ToLower(sid("1"))+`"}`), verdict{Kind: outcome.Sent, SID: strings.ToLower(sid("1")), Status: 201}},
		"201 that is a bomb":           {answer(201, "\x1f\x8b\x08\x00"+strings.Repeat("\x00", 1<<20), "Content-Encoding", "gzip"), ambiguous.status(201)},
		"201 with a list":              {answer(201, `["sid"]`), ambiguous.status(201)},
		"204":                          {answer(204, ``), ambiguous.status(204)},
		"503 that is no JSON":          {answer(503, `<html>down</html>`, "Retry-After", "3"), verdict{ambiguous.Kind, ambiguous.Reason, "", 503, 0, 3 * time.Second}},
		"500 with code 20500":          {answer(500, `{"code":20500,"message":"Internal"}`), verdict{ambiguous.Kind, ambiguous.Reason, "", 500, 20500, 0}},
		"429 in words of its own":      {answer(429, `slow down`, "Retry-After", "7"), verdict{outcome.Throttled, outcome.ReasonRateLimited, "", 429, 0, 7 * time.Second}},
		"400 for the recipient":        {answer(400, `{"code":21614,"message":"'To' number: +15551234567, is not a mobile number","status":400}`), verdict{outcome.Refused, outcome.ReasonRecipientRejected, "", 400, 21614, 0}},
		"400 with a quoted code":       {answer(400, `{"code":"21610","message":"(555) 123-4567 opted out"}`), verdict{outcome.Refused, outcome.ReasonOptedOut, "", 400, 21610, 0}},
		"400 that is no JSON":          {answer(400, `Bad Request`), unavailable.status(400)},
		"403 of a load balancer":       {answer(403, `<html>Forbidden +15551234567</html>`), unavailable.status(403)},
		"401 of Twilio's":              {answer(401, `{"code":20003,"message":"Authenticate"}`), verdict{outcome.Refused, outcome.ReasonSenderRejected, "", 401, 20003, 0}},
		"400 with another's code":      {answer(400, `{"code":400,"message":"Bad Request"}`), unavailable.status(400)},
		"a 404 of Twilio's, at first":  {answer(404, `{"code":20404,"message":"The requested resource was not found"}`), verdict{unavailable.Kind, unavailable.Reason, "", 404, 20404, 0}},
		"201 with another's message":   {answer(201, `{"sid":"`+sid("1")+`","account_sid":"AC9999"}`), ambiguous.status(201)},
		"201 with a long SID":          {answer(201, `{"sid":"SM`+strings.Repeat("0", 60_000)+`"}`), ambiguous.status(201)},
		"201 that is compressed":       {answer(201, "\x1f\x8b\x08\x00", "Content-Encoding", "gzip"), ambiguous.status(201)},
		"a flood of headers":           {answer(201, `{"sid":"`+sid("1")+`"}`, "X-Flood", strings.Repeat("x", 1<<20)), ambiguous},
		"400 with a huge body":         {answer(400, huge), unavailable.status(400)},
		"a redirect, which isn't done": {answer(307, ``, "Location", "/elsewhere"), unavailable.status(307)},
		"reset after the request":      {hangUp(""), ambiguous},
		"an answer that is no HTTP":    {hangUp("+15551234567 Hi Jane\r\n\r\n"), ambiguous},
		"201 that is cut off":          {hangUp("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"sid\":\"SM1\""), ambiguous.status(201)},
		"400 that is cut off":          {hangUp("HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{\"code\":216"), unavailable.status(400)},
		"503 that is cut off":          {hangUp("HTTP/1.1 503 Oops\r\nContent-Length: 100\r\n\r\n{"), ambiguous.status(503)},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				tc.handler(w, r)
			})
			got := verdictOf(t, newClient(t, twilio.Config{}).Send(t.Context(), message(server.URL), leave))
			if got != tc.want || requests.Load() != 1 {
				t.Errorf("got %+v after %d requests, want %+v after 1", got, requests.Load(), tc.want)
			}
		})
	}
}

// TestSendBelievesTheSecond404: a lone one is tried again once, as what may pass.
func TestSendBelievesTheSecond404(t *testing.T) {
	var answers []http.HandlerFunc
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answers[0](w, r)
		answers = answers[1:]
	})
	c := newClient(t, twilio.Config{})
	missing, sent, down := answer(404, `{"code":20404}`), answer(201, `{"sid":"`+sid("1")+`"}`), answer(503, ``)
	lone := verdict{unavailable.Kind, unavailable.Reason, "", 404, 20404, 0}
	believed := verdict{outcome.Refused, outcome.ReasonSenderRejected, "", 404, 20404, 0}
	for name, tc := range map[string]struct {
		answers []http.HandlerFunc
		want    []verdict
	}{
		"once":        {[]http.HandlerFunc{missing, sent}, []verdict{lone, {Kind: outcome.Sent, SID: sid("1"), Status: 201}}},
		"twice":       {[]http.HandlerFunc{missing, missing}, []verdict{lone, believed}},
		"interrupted": {[]http.HandlerFunc{missing, down, missing, missing}, []verdict{lone, ambiguous.status(503), lone, believed}},
	} {
		answers = tc.answers
		m := message(server.URL)
		for i, want := range tc.want {
			if got := verdictOf(t, c.Send(t.Context(), m, leave)); got != want {
				t.Errorf("%s, attempt %d: got %+v, want %+v", name, i+1, got, want)
			}
		}
	}
}

// hangUp reads the request, writes raw to the connection and resets it.
func hangUp(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buffer.WriteString(raw)
		_ = buffer.Flush()
		if raw == "" {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
	}
}

func TestSendRefusedConnection(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	r := newClient(t, twilio.Config{}).Send(t.Context(), message(server.URL), leave)
	if got := verdictOf(t, r); got != unavailable || !errors.Is(r.Err, syscall.ECONNREFUSED) {
		t.Errorf("got %+v, %v", got, r.Err)
	}
}

func TestSendFailedHandshake(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS() // with a certificate that nobody trusts
	t.Cleanup(server.Close)
	if got := verdictOf(t, newClient(t, twilio.Config{}).Send(t.Context(), message(server.URL), leave)); got != unavailable {
		t.Errorf("got %+v", got)
	}
}

func TestSendBadBaseURL(t *testing.T) {
	want := verdict{Kind: outcome.Refused, Reason: outcome.ReasonTwilioRejected}
	if got := verdictOf(t, newClient(t, twilio.Config{}).Send(t.Context(), message("http://a b"), leave)); got != want {
		t.Errorf("got %+v", got)
	}
}

// A POST on a connection that was used before is not repeated once the server
// may have read it.
func TestSendIsNotRepeatedOnAKeptConnection(t *testing.T) {
	var requests atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			answer(201, `{"sid":"`+sid("1")+`"}`)(w, r)
			return
		}
		hangUp("")(w, r)
	})
	c := newClient(t, twilio.Config{})
	first := verdictOf(t, c.Send(t.Context(), message(server.URL), leave))
	second := verdictOf(t, c.Send(t.Context(), message(server.URL), leave))
	if first.Kind != outcome.Sent || second != ambiguous || requests.Load() != 2 {
		t.Errorf("got %+v, then %+v after %d requests", first, second, requests.Load())
	}
}

// brittleConn stops taking bytes when broken.
type brittleConn struct {
	net.Conn
	broken *atomic.Bool
}

func (c brittleConn) Write(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

// A kept connection that takes no byte is replaced; when no other can be had,
// nothing was written.
func TestSendNothingWrittenOnAKeptConnection(t *testing.T) {
	server := serve(t, answer(201, `{"sid":"`+sid("1")+`"}`))
	var broken atomic.Bool
	transport := wire.New(&http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if broken.Load() {
			return nil, syscall.ECONNREFUSED
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return brittleConn{conn, &broken}, err
	}})
	c := newClient(t, twilio.Config{HTTP: &http.Client{Transport: transport}})
	if got := verdictOf(t, c.Send(t.Context(), message(server.URL), leave)); got.Kind != outcome.Sent {
		t.Fatalf("got %+v", got)
	}
	broken.Store(true)
	r := c.Send(t.Context(), message(server.URL), leave)
	if got := verdictOf(t, r); got != unavailable || !errors.Is(r.Err, syscall.ECONNREFUSED) {
		t.Errorf("got %+v, %v", got, r.Err)
	}
}

// Every body is read and closed, also an error's without a length, and one
// that is longer than what is looked at.
func TestSendKeepsConnections(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(429)
		_, _ = fmt.Fprint(w, `{"code":20429}`)
		for range 3 {
			_ = http.NewResponseController(w).Flush()
			_, _ = fmt.Fprint(w, strings.Repeat(" ", 50_000))
		}
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, twilio.Config{})
	want := verdict{outcome.Throttled, outcome.ReasonRateLimited, "", 429, 20429, 0}
	for range 50 {
		if got := verdictOf(t, c.Send(t.Context(), message(server.URL), leave)); got != want {
			t.Fatalf("got %+v", got)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 50 requests", n)
	}
}

// A redirect isn't followed, not even by a client that was made to.
func TestSendFollowsNoRedirect(t *testing.T) {
	var elsewhere atomic.Int32
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		answer(201, `{"sid":"`+sid("1")+`"}`)(w, r)
	})
	server := serve(t, answer(308, ``, "Location", other.URL))
	transport := &http.Transport{}
	c := newClient(t, twilio.Config{HTTP: &http.Client{Transport: transport}})
	if got := verdictOf(t, c.Send(t.Context(), message(server.URL), leave)); got != unavailable.status(308) || elsewhere.Load() != 0 {
		t.Errorf("got %+v, %d requests elsewhere", got, elsewhere.Load())
	}
}

func TestSendTimesOut(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    verdict
	}{
		"in silence": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, ambiguous},
		"in the body of a 201": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(201)
			_, _ = io.WriteString(w, `{"sid":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, ambiguous.status(201)},
		"in the body of a 400": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"code":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, unavailable.status(400)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, stop := servePipe(t, tc.handler)
				defer stop()
				start := time.Now()
				r := newClient(t, twilio.Config{HTTP: client}).Send(t.Context(), message("http://api.example"), leave)
				if got := verdictOf(t, r); got != tc.want || !errors.Is(r.Err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
					t.Errorf("got %+v, %v after %v", got, r.Err, time.Since(start))
				}
			})
		})
	}
}

// TestSendTakesAsLongAsItsContext: a deadline of the caller's stands, below the
// client's own limit and above it.
func TestSendTakesAsLongAsItsContext(t *testing.T) {
	for _, limit := range []time.Duration{5 * time.Second, 45 * time.Second, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			client, stop := servePipe(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-time.After(limit - time.Second):
					answer(201, `{"sid":"`+sid("1")+`"}`)(w, r)
				case <-r.Context().Done():
				}
			})
			defer stop()
			c := newClient(t, twilio.Config{HTTP: client})
			send := func(limit time.Duration) (twilio.Result, time.Duration) {
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				r := c.Send(ctx, message("http://api.example"), leave)
				return r, time.Since(start)
			}
			if r, took := send(limit); r.Kind != outcome.Sent || took != limit-time.Second {
				t.Errorf("limit %v: got %v, %v after %v", limit, r.Kind, r.Err, took)
			}
			if r, took := send(limit - 2*time.Second); r.Kind != outcome.Ambiguous || !errors.Is(r.Err, context.DeadlineExceeded) || took != limit-2*time.Second {
				t.Errorf("limit %v less 2 s: got %v, %v after %v", limit, r.Kind, r.Err, took)
			}
		})
	}
}

func TestSendSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop := servePipe(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(201)
			for _, c := range `{"sid":"` + sid("1") + `"}` {
				_, _ = io.WriteString(w, string(c))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(500 * time.Millisecond)
			}
		})
		defer stop()
		got := verdictOf(t, newClient(t, twilio.Config{HTTP: client}).Send(t.Context(), message("http://api.example"), leave))
		if want := (verdict{Kind: outcome.Sent, SID: sid("1"), Status: 201}); got != want {
			t.Errorf("got %+v", got)
		}
	})
}

func TestSendCancelled(t *testing.T) {
	shutdown := errors.New("shutting down")
	t.Run("before anything is written", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &pipeNetwork{conns: make(chan net.Conn), closed: make(chan struct{})} // nobody accepts
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(shutdown) })
			c := newClient(t, twilio.Config{HTTP: &http.Client{Transport: wire.New(&http.Transport{DialContext: n.dial})}})
			r := c.Send(ctx, message("http://api.example"), leave)
			if got := verdictOf(t, r); got != unavailable || !errors.Is(r.Err, context.Canceled) {
				t.Errorf("got %+v, %v", got, r.Err)
			}
		})
	})
	t.Run("after it was written", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, stop := servePipe(t, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
			defer stop()
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(shutdown) })
			r := newClient(t, twilio.Config{HTTP: client}).Send(ctx, message("http://api.example"), leave)
			if got := verdictOf(t, r); got != ambiguous || !errors.Is(r.Err, context.Canceled) {
				t.Errorf("got %+v, %v", got, r.Err)
			}
		})
	})
	t.Run("at once", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") })
		r := newClient(t, twilio.Config{}).Send(ctx, message(server.URL), leave)
		if got := verdictOf(t, r); got != unavailable || !errors.Is(r.Err, context.Canceled) {
			t.Errorf("got %+v, %v", got, r.Err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := twilio.Config{AccountSID: "AC1", KeySID: "SK1", KeySecret: "s"}
	for name, change := range map[string]func(*twilio.Config){
		"no account":         func(c *twilio.Config) { c.AccountSID = "" },
		"account with slash": func(c *twilio.Config) { c.AccountSID = "AC1/../AC2" },
		"no key":             func(c *twilio.Config) { c.KeySID = "" },
		"key with colon":     func(c *twilio.Config) { c.KeySID = "SK1:x" },
		"no secret":          func(c *twilio.Config) { c.KeySecret = "" },
	} {
		cfg := good
		change(&cfg)
		if c, err := twilio.New(cfg); err == nil || c != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := twilio.New(good); err != nil {
		t.Error(err)
	}
}
