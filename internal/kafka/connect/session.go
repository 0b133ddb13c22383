package connect

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// sessionRenewal is the part of a session's time after which a connection
	// logs in again, before its next request.
	sessionRenewal = 0.85

	// shortestSession: brokers take no second login within a second.
	shortestSession = 1100 * time.Millisecond
)

// session is a connection whose login holds for a time only
// (connections.max.reauth.ms, or a token's own time). Once that is nearly over
// it logs in again on the same connection, between two requests (KIP-368), so
// that its owner, a member of a consumer group above all, notices nothing.
//
// Kafka's requests and answers are frames with their size before them, and
// answers come in the order of the requests, so that the session sees when no
// request is under way. As with any net.Conn, reading and writing may go on
// side by side; there is one writer at a time.
type session struct {
	net.Conn
	login  *login
	broker string

	mu       sync.Mutex
	requests frames // written
	answers  frames // read
	open     int    // requests whose answers haven't come whole
	idle     chan struct{}
	renewing bool
	renew    time.Time // when to log in again
	expires  time.Time
	reads    time.Time // the owner's deadlines
	writes   time.Time
}

func newSession(conn net.Conn, login *login, broker string, lasts time.Duration) *session {
	s := &session{Conn: conn, login: login, broker: broker}
	s.lasts(lasts)
	return s
}

// lasts sets when the session ends; 0 is never.
func (s *session) lasts(d time.Duration) {
	if d <= 0 {
		s.renew, s.expires = time.Time{}, time.Time{}
		return
	}
	now := time.Now()
	s.expires = now.Add(d)
	s.renew = now.Add(max(shortestSession, time.Duration(sessionRenewal*float64(d))))
}

// Write is of net.Conn. It may log in before a request's first byte.
func (s *session) Write(p []byte) (int, error) {
	s.mu.Lock()
	due := s.requests.between() && !s.renew.IsZero() && !time.Now().Before(s.renew)
	s.mu.Unlock()
	if due {
		if err := s.again(); err != nil {
			s.Conn.Close() // or its owner would wait for answers
			return 0, &BrokerError{Broker: s.broker, Stage: StageLogin, Mechanism: s.login.name, Err: err}
		}
	}
	s.mu.Lock()
	s.open += s.requests.pass(p) // before the answer can come
	s.mu.Unlock()
	return s.Conn.Write(p)
}

// Read is of net.Conn.
func (s *session) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open -= s.answers.pass(p[:n])
	if (s.open <= 0 || err != nil) && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
	return n, err
}

// again logs in on the connection once it is idle. Where no credentials can be
// had just now, the session goes on while it lasts.
func (s *session) again() error {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	ready, err := s.login.prepare(ctx, s.broker)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if now := time.Now(); now.Before(s.expires) {
			s.renew = now.Add(time.Second)
			return nil
		}
		return err
	}
	if err := s.awaitIdle(ctx); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	s.mu.Lock()
	s.renewing = true
	err = s.Conn.SetDeadline(deadline)
	s.mu.Unlock()
	var lasts time.Duration
	if err == nil {
		lasts, err = ready.on(ctx, s.Conn)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewing = false
	s.lasts(lasts)
	return errors.Join(err, s.Conn.SetReadDeadline(s.reads), s.Conn.SetWriteDeadline(s.writes))
}

// awaitIdle waits for the answers to all requests.
func (s *session) awaitIdle(ctx context.Context) error {
	s.mu.Lock()
	if s.open <= 0 {
		s.mu.Unlock()
		return nil
	}
	idle := make(chan struct{})
	s.idle = idle
	s.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open > 0 {
		return fmt.Errorf("%d requests are without an answer: %w", s.open, context.DeadlineExceeded)
	}
	return nil
}

// SetDeadline is of net.Conn. The owner's deadlines don't hold for a login.
func (s *session) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline is of net.Conn.
func (s *session) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = t
	if s.renewing {
		return nil
	}
	return s.Conn.SetReadDeadline(t)
}

// SetWriteDeadline is of net.Conn.
func (s *session) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = t
	if s.renewing {
		return nil
	}
	return s.Conn.SetWriteDeadline(t)
}

// frames counts the frames of a stream: each is its size in four bytes and so
// many bytes.
type frames struct {
	size [4]byte
	have int // of the size
	left int // of the frame
}

// between reports whether the next byte begins a frame.
func (f *frames) between() bool { return f.have == 0 }

// pass returns how many frames end within p.
func (f *frames) pass(p []byte) (ended int) {
	for len(p) > 0 {
		if f.have < len(f.size) {
			n := copy(f.size[f.have:], p)
			f.have += n
			p = p[n:]
			if f.have < len(f.size) {
				return ended
			}
			f.left = int(binary.BigEndian.Uint32(f.size[:]))
		}
		n := min(f.left, len(p))
		f.left -= n
		p = p[n:]
		if f.left == 0 {
			f.have = 0
			ended++
		}
	}
	return ended
}
