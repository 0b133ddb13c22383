package main

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that says what it is told.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	p, err := openProxy(fixed(echo(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

type client struct {
	t *testing.T
	net.Conn
	*bufio.Scanner
}

func dial(t *testing.T, p *proxy) client {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return client{t, c, bufio.NewScanner(c)}
}

// ask reports whether a line comes back within a time.
func (c client) ask(within time.Duration) bool {
	c.t.Helper()
	c.Conn.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(c.Conn, "hello\n"); err != nil {
		return false
	}
	return c.Scan() && c.Text() == "hello"
}

const soon = 10 * time.Second

func TestProxyPassesAndCuts(t *testing.T) {
	p := startProxy(t)
	c := dial(t, p)
	if !c.ask(soon) {
		t.Fatal("no echo")
	}
	p.cut(1, rand.New(rand.NewPCG(1, 1)))
	if c.ask(soon) {
		t.Error("an echo over a connection that was cut")
	}
	if !dial(t, p).ask(soon) {
		t.Error("no echo over a new connection")
	}
}

func TestProxyRefuses(t *testing.T) {
	p := startProxy(t)
	c := dial(t, p)
	if !c.ask(soon) {
		t.Fatal("no echo")
	}
	p.refuse()
	if c.ask(soon) {
		t.Error("an echo while refusing")
	}
	if conn, err := net.Dial("tcp", p.addr); err == nil {
		conn.Close()
		t.Error("a connection while refusing")
	}
	if err := p.accept(); err != nil {
		t.Fatal(err)
	}
	if !dial(t, p).ask(soon) {
		t.Error("no echo afterwards")
	}
}

func TestProxyHolds(t *testing.T) {
	p := startProxy(t)
	c := dial(t, p)
	if !c.ask(soon) {
		t.Fatal("no echo")
	}
	p.hold(1, nil)
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	io.WriteString(c.Conn, "hello\n")
	if _, err := c.Conn.Read(make([]byte, 1)); err == nil {
		t.Error("data got through while it is held")
	}
	fresh := dial(t, p)
	p.release()
	c.SetReadDeadline(time.Now().Add(soon))
	if got, err := bufio.NewReader(c.Conn).ReadString('\n'); got != "hello\n" || err != nil {
		t.Errorf("after the release: %q, %v", got, err)
	}
	if !fresh.ask(soon) {
		t.Error("no echo over the connection that was made meanwhile")
	}
}
