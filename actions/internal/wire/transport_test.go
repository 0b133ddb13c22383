package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// said is what a script's side of a connection answers to each request in turn.
type said []string

// hangUp ends an answer after which the script closes the connection.
const hangUp = "\x00"

// script serves connections that say what they are told, whatever is asked.
func script(t *testing.T, connections ...said) (base string, taken *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken = &atomic.Int32{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n := int(taken.Add(1))
			serving.Go(func() {
				defer conn.Close()
				if n > len(connections) {
					return
				}
				r := bufio.NewReader(conn)
				for _, answer := range connections[n-1] {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					answer, last := strings.CutSuffix(answer, hangUp)
					_, _ = io.WriteString(conn, answer)
					if last {
						return
					}
				}
				_, _ = r.ReadByte() // until the client hangs up
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return "http://" + l.Addr().String(), taken
}

func transport(t *testing.T, like *http.Transport) *Transport {
	tr := New(like)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// post posts a form and reads the answer.
func post(ctx context.Context, tr http.RoundTripper, to string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader("a=b"))
	if err != nil {
		return 0, "", err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

const (
	ok      = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"
	chunked = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
)

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		first, second said
		want          string // of two requests
		connections   int32
	}{
		"with a length":              {said{ok, ok}, nil, "201 ok, 201 ok", 1},
		"in chunks":                  {said{chunked, chunked}, nil, "201 ok, 201 ok", 1},
		"without a body":             {said{"HTTP/1.1 204 No Content\r\n\r\n", ok}, nil, "204 , 201 ok", 1},
		"of no bytes":                {said{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ok}, nil, "200 , 201 ok", 1},
		"that are the last":          {said{"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"}, said{ok}, "201 ok, 201 ok", 2},
		"of HTTP/1.0":                {said{"HTTP/1.0 200 OK\r\n\r\nok" + hangUp}, said{ok}, "200 ok, 201 ok", 2},
		"after interim ones":         {said{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok, ok}, nil, "201 ok, 201 ok", 1},
		"after too many interim":     {said{strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 6) + ok}, said{ok}, "too many interim answers, 201 ok", 2},
		"with another after it":      {said{ok + ok}, said{ok}, "201 ok, 201 ok", 2},
		"that switch":                {said{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}, said{ok}, "101 , 201 ok", 2},
		"with a long header":         {said{"HTTP/1.1 201 Created\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n"}, said{ok}, "the answer's header is too long, 201 ok", 2},
		"that are cut off":           {said{"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nok" + hangUp}, said{ok}, "unexpected EOF, 201 ok", 2},
		"that are none":              {said{hangUp}, said{ok}, "unexpected EOF, 201 ok", 2},
		"that are no HTTP":           {said{"SSH-2.0-OpenSSH\r\n"}, said{ok}, `malformed HTTP response "SSH-2.0-OpenSSH", 201 ok`, 2},
		"none of a kept connection":  {said{ok, hangUp}, said{ok}, "201 ok, unexpected EOF", 1},
		"with two lengths":           {said{"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"}, said{ok}, `http: message cannot contain multiple Content-Length headers; got ["2" "3"], 201 ok`, 2},
		"with a length and in parts": {said{"HTTP/1.1 201 Created\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ok}, nil, "201 ok, 201 ok", 1},
	} {
		t.Run(name, func(t *testing.T) {
			base, taken := script(t, c.first, c.second)
			tr := transport(t, &http.Transport{MaxResponseHeaderBytes: 64 << 10})
			var got []string
			for range 2 {
				status, body, err := post(t.Context(), tr, base)
				if err != nil {
					got = append(got, err.Error())
				} else {
					got = append(got, fmt.Sprint(status, " ", body))
				}
			}
			tr.CloseIdleConnections()
			if all := strings.Join(got, ", "); all != c.want || taken.Load() != c.connections {
				t.Errorf("got %s on %d connections; want %s on %d", all, taken.Load(), c.want, c.connections)
			}
		})
	}
}

// An idle connection that the server has closed isn't used; nor one on which it
// says something that nobody asked for.
func TestEndedWhileIdle(t *testing.T) {
	for name, last := range map[string]string{"closed": "", "a word": "HTTP/1.1 408 Request Timeout\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			idle := make(chan net.Conn, 1)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(w, r.Body)
			}))
			server.Config.ConnState = func(c net.Conn, s http.ConnState) {
				if s == http.StateIdle {
					idle <- c
				}
			}
			server.Start()
			defer server.Close()
			tr := transport(t, &http.Transport{})
			for range 5 {
				if status, body, err := post(t.Context(), tr, server.URL); status != 200 || body != "a=b" || err != nil {
					t.Fatal(status, body, err)
				}
				c := <-idle
				if last != "" {
					_, _ = io.WriteString(c, last)
				}
				_ = c.Close()
				p := tr.hosts[host{"http", strings.TrimPrefix(server.URL, "http://")}]
				for time.Since(p.idle[0].since) < fresh || !p.idle[0].ended() { // until the news is here
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
}

// brittle is a connection that takes no bytes once it is broken.
type brittle struct {
	net.Conn
	broken *atomic.Bool
}

func (c brittle) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(b)
}

// A request of which a kept connection takes nothing is written to another, whole;
// one that can't be read again, or meets a new connection that takes nothing, fails.
func TestNothingTaken(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer server.Close()
	var broken atomic.Bool
	tr := transport(t, &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		broken.Store(false)
		return brittle{conn, &broken}, err
	}})
	if _, _, err := post(t.Context(), tr, server.URL); err != nil {
		t.Fatal(err)
	}
	broken.Store(true) // until another is dialled
	if status, body, err := post(t.Context(), tr, server.URL); status != 200 || body != "a=b" || err != nil {
		t.Errorf("got %d %q, %v", status, body, err)
	}
	broken.Store(true)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.NopCloser(strings.NewReader("a=b")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.RoundTrip(req); err == nil { // net/http's, which wraps no cause
		t.Error("what can't be read again is sent again")
	}
	never := transport(t, &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		broken.Store(true)
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return brittle{conn, &broken}, err
	}})
	if _, _, err := post(t.Context(), never, server.URL); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a new connection: %v", err)
	}
}

// The hooks are called as net/http calls them, but that a request is kept back for good.
func TestHooks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer server.Close()
	tr := transport(t, &http.Transport{})
	var calls []string
	keep := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GetConn: func(hostPort string) {
			calls = append(calls, "get "+strings.TrimPrefix("http://"+hostPort, server.URL))
		},
		GotConn: func(got httptrace.GotConnInfo) {
			calls = append(calls, fmt.Sprint("got ", got.Reused, got.WasIdle))
			if keep {
				_ = got.Conn.Close()
			}
		},
	})
	for _, keep = range []bool{false, true, true, false} {
		if _, _, err := post(ctx, tr, server.URL); keep != errors.Is(err, errKeptBack) || !keep && err != nil {
			t.Error(err)
		}
	}
	if got, want := strings.Join(calls, ", "), "get , got false false, get , got true true, get , got false false, get , got false false"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

// A context that ends does so while connecting, before the answer and within it;
// its cause is what is told, and the connection isn't used again.
func TestContextEnds(t *testing.T) {
	reason := errors.New("shutting down")
	for name, c := range map[string]struct {
		accept bool
		answer string
	}{
		"connecting":        {false, ""},
		"before the answer": {true, ""},
		"in its header":     {true, "HTTP/1.1 201 Cre"},
		"in its body":       {true, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\no"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dialled int
				var serving sync.WaitGroup
				tr := transport(t, &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					dialled++
					if !c.accept {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					near, far := net.Pipe()
					serving.Go(func() {
						if req, err := http.ReadRequest(bufio.NewReader(far)); err == nil {
							_, _ = io.Copy(io.Discard, req.Body)
							_, _ = io.WriteString(far, c.answer)
							_, _ = far.Read(make([]byte, 1))
						}
					})
					return near, nil
				}})
				for range 2 {
					ctx, cancel := context.WithCancelCause(t.Context())
					time.AfterFunc(time.Second, func() { cancel(reason) })
					start := time.Now()
					if _, _, err := post(ctx, tr, "http://api.example"); !errors.Is(err, reason) || time.Since(start) != time.Second {
						t.Errorf("after %v: %v", time.Since(start), err)
					}
				}
				if serving.Wait(); dialled != 2 {
					t.Errorf("%d connections", dialled)
				}
			})
		})
	}
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(reason)
		if _, _, err := post(ctx, transport(t, &http.Transport{}), "http://api.example"); !errors.Is(err, reason) {
			t.Error(err)
		}
	})
}

// A connection whose request was given up isn't used again, though its answer is there whole.
func TestGivenUpWithItsAnswer(t *testing.T) {
	base, taken := script(t, said{ok}, said{ok})
	tr := transport(t, &http.Transport{})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, body, err := post(t.Context(), tr, base); body != "ok" || err != nil || taken.Load() != 2 {
		t.Errorf("%q, %v, %d connections", body, err, taken.Load())
	}
}

// What isn't read to its end costs the connection, and waits for nothing.
func TestBodyLeft(t *testing.T) {
	base, taken := script(t, said{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nok"}, said{ok})
	tr := transport(t, &http.Transport{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := resp.Body.Read(make([]byte, 9)); n != 0 || err == nil {
		t.Errorf("a closed body gives %d bytes, %v", n, err)
	}
	if _, body, err := post(t.Context(), tr, base); body != "ok" || err != nil || taken.Load() != 2 {
		t.Errorf("%q, %v, %d connections", body, err, taken.Load())
	}
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialled := 0
		var serving sync.WaitGroup
		tr := New(&http.Transport{MaxIdleConnsPerHost: 3, IdleConnTimeout: time.Minute, DialContext: func(context.Context, string, string) (net.Conn, error) {
			dialled++
			near, far := net.Pipe()
			serving.Go(func() {
				for r := bufio.NewReader(far); ; {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					time.Sleep(time.Second)
					_, _ = io.WriteString(far, ok)
				}
			})
			return near, nil
		}})
		sideBySide := func(n, newOnes int) {
			t.Helper()
			before := dialled
			var posts sync.WaitGroup
			for range n {
				posts.Go(func() {
					if _, _, err := post(t.Context(), tr, "http://api.example"); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			if posts.Wait(); dialled-before != newOnes {
				t.Errorf("%d new connections for %d requests, want %d", dialled-before, n, newOnes)
			}
		}
		sideBySide(5, 5)
		sideBySide(4, 1) // three were kept
		time.Sleep(30 * time.Second)
		sideBySide(1, 0)
		time.Sleep(40 * time.Second) // two of three have been idle for longer than a minute
		sideBySide(3, 2)
		time.Sleep(2 * time.Minute)
		sideBySide(1, 1)
		tr.CloseIdleConnections()
		sideBySide(1, 1)
		tr.CloseIdleConnections()
		serving.Wait()
	})
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Proto, " ", r.TLS.ServerName)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	like := server.Client().Transport.(*http.Transport).Clone()
	like.TLSHandshakeTimeout = 10 * time.Second
	tr := transport(t, like)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	dials := 0
	like.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		dials++
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	for range 3 {
		if _, body, err := post(t.Context(), tr, "https://example.com:"+port); body != "HTTP/1.1 example.com" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
	}
	if dials != 1 {
		t.Errorf("%d connections", dials)
	}
	if _, _, err := post(t.Context(), tr, "https://other.example:"+port); err == nil {
		t.Error("a certificate for another host is taken")
	}
	if _, _, err := post(t.Context(), transport(t, &http.Transport{}), server.URL); err == nil {
		t.Error("a certificate of nobody is taken")
	}
	if _, body, err := post(t.Context(), transport(t, &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}), server.URL); err != nil { //nolint:gosec // what a test says
		t.Errorf("%q, %v", body, err)
	}
}

func TestHandshakeTakesTooLong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // who takes no connection
	tr := transport(t, &http.Transport{TLSHandshakeTimeout: 10 * time.Millisecond})
	if _, _, err := post(t.Context(), tr, "https://"+l.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestProxy(t *testing.T) {
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.String())
		_, _ = io.WriteString(w, "by proxy")
	}))
	defer proxy.Close()
	to, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr := transport(t, &http.Transport{Proxy: http.ProxyURL(to)})
	if _, body, err := post(t.Context(), tr, "http://api.example/x"); body != "by proxy" || err != nil || asked.Load() != "http://api.example/x" {
		t.Errorf("%q of %v, %v", body, asked.Load(), err)
	}
	broken := errors.New("no such proxy")
	tr = transport(t, &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, broken }})
	if _, _, err := post(t.Context(), tr, "http://api.example/x"); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestScheme(t *testing.T) {
	if _, _, err := post(t.Context(), transport(t, &http.Transport{}), "ftp://api.example"); !errors.Is(err, errScheme) {
		t.Error(err)
	}
}

// Many at once, some of which are given up: each gets its own answer.
func TestSideBySide(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Millisecond)
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	defer server.Close()
	tr := transport(t, &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute})
	var posts sync.WaitGroup
	for i := range 16 {
		posts.Go(func() {
			for k := range 50 {
				ctx, cancel := t.Context(), func() {}
				if k%5 == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(k)*40*time.Microsecond)
				}
				path := fmt.Sprint("/", i, "/", k)
				_, body, err := post(ctx, tr, server.URL+path)
				if err == nil && body != path || err != nil && k%5 != 0 {
					t.Errorf("%s: %q, %v", path, body, err)
				}
				cancel()
			}
		})
	}
	posts.Wait()
}
