package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"engage-worker/internal/pause"
	"engage-worker/internal/sim/port"
)

// proxy stands between the replicas and one address, and does to their
// connections what networks do. It is safe for concurrent use.
type proxy struct {
	port   *port.Port
	addr   string                 // the port's
	target func() (string, error) // asked for each connection

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	links    map[*link]struct{}
	delay    time.Duration // added to each piece of data, each way
	deaf     bool          // new connections are held
	closed   bool

	running sync.WaitGroup
}

// link is one connection through a proxy.
type link struct {
	client, server net.Conn
	ended          context.Context
	end            context.CancelFunc
	mu             sync.Mutex
	held           chan struct{} // nil, or closed on release
}

// openProxy listens on a port of its own, which it has until the process ends.
func openProxy(target func() (string, error)) (*proxy, error) {
	at, err := port.Hold()
	if err != nil {
		return nil, err
	}
	return newProxy(at, target)
}

// newProxy listens on a port, which its owner closes.
func newProxy(at *port.Port, target func() (string, error)) (*proxy, error) {
	p := &proxy{port: at, addr: at.Addr().String(), target: target, links: map[*link]struct{}{}}
	if err := p.accept(); err != nil {
		return nil, err
	}
	return p, nil
}

// fixed is the target that stays the same.
func fixed(addr string) func() (string, error) { return func() (string, error) { return addr, nil } }

// accept takes connections again.
func (p *proxy) accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	l, err := p.port.Listen()
	if err != nil {
		return fmt.Errorf("listen as a proxy: %w", err)
	}
	p.listener = l
	p.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(client) })
		}
	})
	return nil
}

// refuse closes the port and resets all connections, until accept.
func (p *proxy) refuse() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close() // nothing to do about it
		p.listener = nil
	}
	p.mu.Unlock()
	p.cut(1, rand.New(rand.NewPCG(0, 0)))
}

// cut resets a fraction of the connections.
func (p *proxy) cut(fraction float64, rng *rand.Rand) {
	for _, l := range p.some(fraction, rng) {
		l.reset()
	}
}

// hold stops the data of a fraction of the connections, and of all new ones
// if that is all: nothing is lost, it just doesn't arrive before release.
func (p *proxy) hold(fraction float64, rng *rand.Rand) {
	p.mu.Lock()
	p.deaf = fraction >= 1
	p.mu.Unlock()
	for _, l := range p.some(fraction, rng) {
		l.hold()
	}
}

// release lets held data through.
func (p *proxy) release() {
	p.mu.Lock()
	p.deaf = false
	p.mu.Unlock()
	for _, l := range p.some(1, nil) {
		l.release()
	}
}

// slow delays data, each way; 0 doesn't.
func (p *proxy) slow(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = by
}

func (p *proxy) some(fraction float64, rng *rand.Rand) []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var chosen []*link
	for l := range p.links {
		if fraction >= 1 || rng.Float64() < fraction {
			chosen = append(chosen, l)
		}
	}
	return chosen
}

// Close ends the proxy and its connections and waits for them.
func (p *proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.refuse()
	p.running.Wait()
	return nil
}

func (p *proxy) serve(client net.Conn) {
	l := &link{client: client}
	l.ended, l.end = context.WithCancel(context.Background())
	defer l.end()
	target, err := p.target()
	if err == nil {
		l.server, err = net.DialTimeout("tcp", target, 5*time.Second)
	}
	if err != nil {
		l.reset()
		return
	}
	p.mu.Lock()
	p.links[l] = struct{}{}
	if p.deaf {
		l.hold()
	}
	closed := p.listener == nil // meanwhile
	p.mu.Unlock()
	if closed {
		l.reset()
	}
	var both sync.WaitGroup
	both.Go(func() { p.pass(l, l.client, l.server) })
	both.Go(func() { p.pass(l, l.server, l.client) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// pass carries data one way until either end is gone.
func (p *proxy) pass(l *link, from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			l.wait()
			p.mu.Lock()
			delay := p.delay
			p.mu.Unlock()
			if delay > 0 {
				pause.For(l.ended, delay) // or the write fails
			}
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			l.close()
			return
		}
	}
}

func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = make(chan struct{})
	}
}

func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil {
		close(l.held)
		l.held = nil
	}
}

func (l *link) wait() {
	l.mu.Lock()
	held := l.held
	l.mu.Unlock()
	if held != nil {
		<-held
	}
}

// reset breaks both connections as networks do: with an RST.
func (l *link) reset() {
	for _, c := range []net.Conn{l.client, l.server} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // best effort: else it is an orderly end
		}
	}
	l.close()
}

func (l *link) close() {
	l.end()
	_ = l.client.Close() // it goes either way
	if l.server != nil {
		_ = l.server.Close()
	}
	l.release()
}
