package twiliosim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"engage-worker/internal/sim/port"
)

// Listener serves a Sim on a port of its own. It goes down and comes back as
// Outage says. Its goroutines end with Close, Shutdown or the Sim's Close.
type Listener struct {
	sim   *Sim
	addr  string
	port  *port.Port // keeps one that was free while down; nil for one that was asked for by its number
	admin bool

	// Guarded by the Sim's listening.
	server *http.Server // nil while down
	closed bool

	serving, connections sync.WaitGroup
}

// Listen serves the vendor's APIs and the simulator's own on addr, a
// "host:port"; 127.0.0.1:0 picks a free one, which it keeps while down. Several
// listeners can stand for several regions.
func (s *Sim) Listen(addr string) (*Listener, error) { return s.listen(addr, false) }

// ListenAdmin serves the simulator's own API only, and never goes down.
func (s *Sim) ListenAdmin(addr string) (*Listener, error) { return s.listen(addr, true) }

func (s *Sim) listen(addr string, admin bool) (*Listener, error) {
	s.listening.Lock()
	defer s.listening.Unlock()
	select {
	case <-s.closed:
		return nil, errors.New("listen: the simulated Twilio is closed")
	default:
	}
	l := &Listener{sim: s, addr: addr, admin: admin}
	if addr == "127.0.0.1:0" {
		var err error
		if l.port, err = port.Hold(); err != nil {
			return nil, err
		}
		l.addr = l.port.Addr().String()
	}
	if err := errors.Join(l.up(), l.follow(s.faults.Load())); err != nil {
		l.release()
		return nil, err
	}
	s.listeners = append(s.listeners, l)
	return l, nil
}

// Addr is the host:port listened on, also while down. Nil has none.
func (l *Listener) Addr() string {
	if l == nil {
		return ""
	}
	return l.addr
}

// URL is http://host:port.
func (l *Listener) URL() string { return "http://" + l.addr }

// Shutdown stops listening and waits for requests that are under way, at most
// until ctx ends; then it closes their connections.
func (l *Listener) Shutdown(ctx context.Context) error {
	l.sim.listening.Lock()
	server := l.server
	l.server, l.closed = nil, true
	l.release()
	l.sim.listening.Unlock()
	if server == nil {
		return nil
	}
	err := server.Shutdown(ctx)
	if err != nil {
		_ = server.Close() // the error that counts is Shutdown's
	}
	l.serving.Wait()
	l.connections.Wait()
	return err
}

// Close stops listening, closes the connections and waits for their
// requests, which notice.
func (l *Listener) Close() {
	l.sim.listening.Lock()
	l.closed = true
	l.down()
	l.release()
	l.sim.listening.Unlock()
	l.connections.Wait()
}

// release gives back the port that was kept. The Sim's listening is held.
func (l *Listener) release() {
	if l.port != nil {
		l.port.Close()
		l.port = nil
	}
}

// followsOutage is false for a listener that never goes down, and for none.
func (l *Listener) followsOutage() bool { return l != nil && !l.admin }

// follow goes up or down as the rules say.
func (l *Listener) follow(rules *rules) error {
	if l.admin || l.closed {
		return nil
	}
	if rules.outage(l.addr) == Refused {
		l.down()
		return nil
	}
	if l.server != nil {
		return nil
	}
	return l.up()
}

func (l *Listener) up() error {
	listen := func() (net.Listener, error) { return net.Listen("tcp", l.addr) }
	if l.port != nil {
		listen = l.port.Listen
	}
	listener, err := listen()
	if err != nil {
		return fmt.Errorf("listen as the simulated Twilio: %w", err)
	}
	l.addr = listener.Addr().String()
	server := &http.Server{
		Handler:           http.HandlerFunc(l.serve),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), listenerKey{}, l)
		},
		// New comes from Serve's own goroutine, so nothing is added once
		// serving is over.
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				l.connections.Add(1)
			case http.StateClosed, http.StateHijacked:
				l.connections.Done()
			}
		},
	}
	l.server = server
	l.serving.Go(func() { _ = server.Serve(listener) }) // ends with ErrServerClosed
	return nil
}

// down closes the port and every connection. Requests that wait notice by
// their context.
func (l *Listener) down() {
	if l.server == nil {
		return
	}
	_ = l.server.Close() // nothing to do about it
	l.serving.Wait()
	l.server = nil
}

func (l *Listener) serve(w http.ResponseWriter, r *http.Request) {
	if l.admin && !strings.HasPrefix(r.URL.EscapedPath(), adminPrefix) {
		http.Error(w, "only "+adminPrefix+" is served here", http.StatusNotFound)
		return
	}
	l.sim.ServeHTTP(w, r)
}

type listenerKey struct{}

// listenerOf is the listener that a request came by, or nil.
func listenerOf(r *http.Request) *Listener {
	l, _ := r.Context().Value(listenerKey{}).(*Listener)
	return l
}
