// Package wire speaks HTTP/1.1 the plain way: who asks writes the request and
// reads the answer, on a connection that is nobody else's meanwhile.
//
// net/http's Transport has two goroutines for each connection, so that a
// request and its answer change hands four times: that was a third of a message's
// processor time. And who asks here knows when the first byte leaves, and whether one did.
package wire

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
)

// Transport is an http.RoundTripper like the http.Transport that it is made of.
// It calls the hooks GetConn and GotConn of a request's httptrace.ClientTrace as
// that does; a GotConn that closes the connection keeps the request back. A
// request is written once: a second time, on another connection, only where no byte
// of it was taken by a connection that was kept from before. It is safe for concurrent use.
type Transport struct {
	like *http.Transport

	mu    sync.Mutex
	hosts map[host]*pool
}

// host is one that connections lead to, as a URL names it.
type host struct{ scheme, host string }

// New makes a Transport by like's settings: DialContext, TLSClientConfig,
// TLSHandshakeTimeout, MaxIdleConnsPerHost, IdleConnTimeout and
// MaxResponseHeaderBytes, which mean what they mean there. Requests that like sends
// through a proxy go through like itself.
func New(like *http.Transport) *Transport {
	return &Transport{like: like, hosts: map[host]*pool{}}
}

// maxHeader is net/http's limit where there is no other.
const maxHeader = 10 << 20

// maxInterim is how many answers 1xx may precede the answer.
const maxInterim = 5

var (
	errKeptBack   = errors.New("the request was kept back")
	errInterim    = errors.New("too many interim answers")
	errHeaderSize = errors.New("the answer's header is too long")
	errScheme     = errors.New("want an http or https URL")
)

// RoundTrip makes one request. Its error is the cause of the request's context,
// once that has ended.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.like.Proxy != nil {
		if proxy, err := t.like.Proxy(req); err != nil || proxy != nil {
			return t.like.RoundTrip(req)
		}
	}
	p, err := t.pool(req.URL)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	for again := req; ; {
		c, err := p.get(req.Context())
		if err != nil {
			closeBody(again)
			return nil, causeOf(req.Context(), err)
		}
		resp, err := c.exchange(again)
		if err == nil {
			return resp, nil
		}
		untouched := c.kept && !c.closed && !c.socket.out && req.Context().Err() == nil
		if again = renewed(req); again == nil || !untouched {
			return nil, causeOf(req.Context(), err)
		}
	}
}

// renewed is req with its body from the beginning, or nil if there is none to be had.
func renewed(req *http.Request) *http.Request {
	if req.Body == nil || req.Body == http.NoBody {
		return req
	}
	if req.GetBody == nil {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	again := *req
	again.Body = body
	return &again
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// causeOf is why a request ended: by its context, whatever its connection says of that.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// pool is where the connections to u's host are.
func (t *Transport) pool(u *url.URL) (*pool, error) {
	key := host{u.Scheme, u.Host}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p, ok := t.hosts[key]; ok {
		return p, nil
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if port == "" {
		return nil, errScheme
	}
	if u.Port() != "" {
		port = u.Port()
	}
	p := newPool(t.like, net.JoinHostPort(u.Hostname(), port), u.Scheme == "https")
	t.hosts[key] = p
	return p, nil
}

// CloseIdleConnections closes the connections that no request has.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	pools := slices.Collect(maps.Values(t.hosts))
	t.mu.Unlock()
	for _, p := range pools {
		p.closeIdle()
	}
	t.like.CloseIdleConnections()
}

// exchange writes a request and reads its answer up to the body.
func (c *conn) exchange(req *http.Request) (*http.Response, error) {
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c, Reused: c.kept, WasIdle: c.kept})
		if c.closed {
			closeBody(req)
			return nil, errKeptBack
		}
	}
	goOn := context.AfterFunc(req.Context(), c.cut)
	resp, err := c.ask(req)
	if err != nil {
		goOn()
		c.discard()
		return nil, err
	}
	resp.Body = &answer{body: resp.Body, conn: c, goOn: goOn, ctx: req.Context(), last: resp.Close || req.Close || resp.StatusCode == http.StatusSwitchingProtocols}
	return resp, nil
}

func (c *conn) ask(req *http.Request) (*http.Response, error) {
	c.socket.out = false
	w := writers.Get().(*bufio.Writer)
	defer writers.Put(w)
	w.Reset(c)
	if err := req.Write(w); err != nil { // which closes the body
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	c.readable = cmp.Or(c.pool.like.MaxResponseHeaderBytes, maxHeader)
	for range maxInterim {
		resp, err := http.ReadResponse(c.reader, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			c.readable = math.MaxInt64 // of the body, who asks reads as much as they like
			return resp, nil
		}
	}
	return nil, errInterim
}

// answer is an answer's body. At its end the connection is free for the next request.
type answer struct {
	body io.ReadCloser
	conn *conn // nil once the answer is done with it
	goOn func() bool
	ctx  context.Context
	last bool // of this connection
}

func (a *answer) Read(b []byte) (int, error) {
	if a.conn == nil {
		return 0, io.EOF
	}
	n, err := a.body.Read(b)
	switch {
	case err == io.EOF: //nolint:errorlint // a reader's end is this very value
		a.done(!a.last && a.conn.reader.Buffered() == 0)
	case err != nil:
		a.done(false)
		err = causeOf(a.ctx, err)
	}
	return n, err
}

// Close gives up the connection, unless the body was read to its end.
func (a *answer) Close() error {
	if a.conn != nil {
		a.done(a.body == http.NoBody && !a.last)
	}
	return nil
}

func (a *answer) done(reusable bool) {
	c := a.conn
	a.conn = nil
	if whole := a.goOn(); whole && reusable {
		c.pool.put(c)
	} else {
		c.discard()
	}
}
