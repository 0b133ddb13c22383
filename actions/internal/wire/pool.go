package wire

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"syscall"
	"time"
)

// pool has the connections to one host that no request has. The one that was
// used last is used next.
type pool struct {
	like     *http.Transport
	addr     string      // host:port
	secure   *tls.Config // nil without TLS
	mostIdle int
	dialer   func(ctx context.Context, network, addr string) (net.Conn, error)

	mu     sync.Mutex
	idle   []*conn     // by when they were put back
	expiry *time.Timer // nil where nothing is idle
}

func newPool(like *http.Transport, addr string, secure bool) *pool {
	p := &pool{like: like, addr: addr, mostIdle: cmp.Or(like.MaxIdleConnsPerHost, http.DefaultMaxIdleConnsPerHost), dialer: like.DialContext}
	if p.dialer == nil {
		p.dialer = new(net.Dialer).DialContext
	}
	if secure {
		p.secure = &tls.Config{}
		if like.TLSClientConfig != nil {
			p.secure = like.TLSClientConfig.Clone()
		}
		if p.secure.ServerName == "" {
			p.secure.ServerName, _, _ = net.SplitHostPort(addr)
		}
		p.secure.NextProtos = []string{"http/1.1"}
	}
	return p
}

// get is a connection for one request: one that was kept and still stands, or a new one.
func (p *pool) get(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GetConn != nil {
		trace.GetConn(p.addr)
	}
	for {
		c := p.pop()
		if c == nil {
			return p.dial(ctx)
		}
		if time.Since(c.since) < fresh || !c.ended() {
			return c, nil
		}
		c.discard()
	}
}

// fresh is what was put back so lately that news of its end couldn't be here
// yet, from farther than the next room.
const fresh = 5 * time.Millisecond

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

// put keeps a connection whose answer was read to its end.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	full := len(p.idle) >= p.mostIdle
	if !full {
		c.kept, c.since = true, time.Now()
		p.idle = append(p.idle, c)
		if p.expiry == nil && p.like.IdleConnTimeout > 0 {
			p.expiry = time.AfterFunc(p.like.IdleConnTimeout, p.expire)
		}
	}
	p.mu.Unlock()
	if full {
		c.discard()
	}
}

// expire closes what has been idle for long, and comes again for the rest.
func (p *pool) expire() {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && time.Since(p.idle[n].since) >= p.like.IdleConnTimeout {
		n++
	}
	old := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	if len(p.idle) > 0 {
		p.expiry.Reset(p.like.IdleConnTimeout - time.Since(p.idle[0].since))
	} else {
		p.expiry = nil
	}
	p.mu.Unlock()
	discard(old)
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	old := p.idle
	p.idle = nil
	if p.expiry != nil {
		p.expiry.Stop()
		p.expiry = nil
	}
	p.mu.Unlock()
	discard(old)
}

// discard closes connections. The pool isn't locked meanwhile, as TLS takes its leave.
func discard(all []*conn) {
	for _, c := range all {
		c.discard()
	}
}

func (p *pool) dial(ctx context.Context) (*conn, error) {
	raw, err := p.dialer(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: raw}
	c := &conn{Conn: s, socket: s, pool: p}
	if p.secure != nil {
		if c.Conn, err = p.handshake(ctx, s); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	c.reader = bufio.NewReader(readable{c})
	c.cut = func() { _ = raw.SetDeadline(time.Unix(1, 0)) } // who reads or writes gets an error at once
	c.look = c.lookAt
	if sys, ok := raw.(syscall.Conn); ok {
		c.sys, _ = sys.SyscallConn()
	}
	return c, nil
}

func (p *pool) handshake(ctx context.Context, s *socket) (net.Conn, error) {
	if p.like.TLSHandshakeTimeout > 0 {
		limited, cancel := context.WithTimeout(ctx, p.like.TLSHandshakeTimeout)
		defer cancel()
		ctx = limited
	}
	secure := tls.Client(s, p.secure)
	return secure, secure.HandshakeContext(ctx)
}
