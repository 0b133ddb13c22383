package wire

import (
	"bufio"
	"net"
	"sync"
	"syscall"
	"time"
)

// conn is a connection, which one request has at a time.
type conn struct {
	net.Conn // that requests are written to: the socket, or TLS over it
	socket   *socket
	pool     *pool
	reader   *bufio.Reader
	cut      func()                // ends what reads and writes, from another goroutine
	sys      syscall.RawConn       // the socket's; nil where it has none
	look     func(fd uintptr) bool // lookAt

	kept     bool      // it has had a request before
	since    time.Time // when it was put back
	readable int64     // bytes that may still be read
	closed   bool      // by Close
	over     bool      // what look saw: the other side has ended it, or said something unasked
	peeked   [1]byte
}

// socket is what a connection's bytes leave by.
type socket struct {
	net.Conn
	out bool // a byte was taken since this was last false
}

func (s *socket) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	s.out = s.out || n > 0
	return n, err
}

// Close keeps the request that the connection was got for from being written.
func (c *conn) Close() error {
	c.closed = true
	return c.Conn.Close()
}

func (c *conn) discard() { _ = c.Conn.Close() }

// ended reports whether the other side has closed an idle connection, or sent
// something on it that nobody asked for, as TLS does to say goodbye.
func (c *conn) ended() bool {
	if c.sys == nil {
		return false
	}
	c.over = false
	return c.sys.Read(c.look) != nil || c.over
}

// readable is the connection as its answers are read.
type readable struct{ *conn }

func (r readable) Read(b []byte) (int, error) {
	if r.conn.readable <= 0 {
		return 0, errHeaderSize
	}
	n, err := r.Conn.Read(b[:min(int64(len(b)), r.conn.readable)])
	r.conn.readable -= int64(n)
	return n, err
}

// writers make one write of a request.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 8<<10) }}
