package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// dialer connects to one broker. It does TLS and the login itself, rather than
// leave them to kafka-go, so that an error knows the broker and how far it
// came, and so that a session can be renewed.
type dialer struct {
	tls   *tls.Config // nil: plain text
	login *login      // nil: none
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(stage Stage, err error) (net.Conn, error) {
		return nil, &BrokerError{Broker: address, Stage: stage, TLS: d.tls != nil, Err: err}
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return fail(StageDial, err)
	}
	if d.tls != nil {
		cfg := d.tls
		if cfg.ServerName == "" {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				conn.Close()
				return fail(StageDial, err)
			}
			cfg = cfg.Clone()
			cfg.ServerName = host
		}
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return fail(StageTLS, err)
		}
		conn = secure
	}
	conn = &brokerConn{Conn: conn, broker: address, tls: d.tls != nil}
	if d.login == nil {
		return conn, nil
	}
	lasts, err := d.logIn(ctx, conn, address)
	if err == nil {
		return newSession(conn, d.login, address, lasts), nil
	}
	conn.Close()
	if broker := (*BrokerError)(nil); errors.As(err, &broker) {
		return nil, err // it came from the connection
	}
	return nil, &BrokerError{Broker: address, Stage: StageLogin, TLS: d.tls != nil, Mechanism: d.login.name, Err: err}
}

// logIn returns how long the session lasts. ctx bounds it.
func (d dialer) logIn(ctx context.Context, conn net.Conn, broker string) (time.Duration, error) {
	ready, err := d.login.prepare(ctx, broker)
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) }) // fails on a connection that has ended, and nothing else
	lasts, err := ready.on(ctx, conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	return lasts, err
}

// brokerConn puts the broker's name to an error of the first answer: a port
// that speaks another protocol, or wants a certificate (with TLS 1.3 the
// refusal comes after the client's handshake), shows there.
type brokerConn struct {
	net.Conn
	broker   string
	tls      bool
	answered atomic.Bool
}

func (c *brokerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.answered.Load() {
		return n, err
	}
	if n > 0 {
		c.answered.Store(true)
		if !c.tls && isTLSAlert(p[:n]) {
			return 0, &BrokerError{Broker: c.broker, Stage: StageAnswer, Err: errTLSPort}
		}
		return n, err
	}
	if errors.Is(err, io.EOF) {
		// kafka-go replaces an io.EOF by its own and would lose the broker.
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		err = &BrokerError{Broker: c.broker, Stage: StageAnswer, TLS: c.tls, Err: err}
	}
	return n, err
}

// isTLSAlert tells a TLS alert record (RFC 8446, 5.1), which is how a TLS port
// turns plain text down, from the size that begins an answer of Kafka's: as
// one it would announce 336 MiB.
func isTLSAlert(answer []byte) bool {
	return len(answer) >= 3 && answer[0] == 0x15 && answer[1] == 0x03 && answer[2] <= 0x04
}
