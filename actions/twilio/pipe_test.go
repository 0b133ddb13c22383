package twilio_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"engage-worker/actions/internal/wire"
)

// pipeNetwork is a network in memory, whose waiting synctest understands.
type pipeNetwork struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// servePipe serves h on a network of its own until stop, which waits for
// nothing but the listener; client talks to it whatever the URL's host.
func servePipe(t *testing.T, h http.HandlerFunc) (client *http.Client, stop func()) {
	t.Helper()
	return serveSlowPipe(t, 0, h)
}

// serveSlowPipe is servePipe where it takes a while to connect.
func serveSlowPipe(t *testing.T, connect time.Duration, h http.HandlerFunc) (client *http.Client, stop func()) {
	t.Helper()
	n := &pipeNetwork{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(n) })
	transport := wire.New(&http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		time.Sleep(connect)
		return n.dial(ctx, network, address)
	}})
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
	}
}

func (n *pipeNetwork) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case n.conns <- far:
		return near, nil
	case <-n.closed:
		return nil, errors.New("network is down")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *pipeNetwork) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *pipeNetwork) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

func (n *pipeNetwork) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
