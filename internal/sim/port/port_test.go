package port_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"engage-worker/internal/sim/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHold: a port refuses connections while nobody listens on it, is nobody
// else's meanwhile, and takes connections as often as somebody does.
func TestHold(t *testing.T) {
	p, err := port.Hold()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	refused := func() {
		t.Helper()
		if conn, err := net.Dial("tcp", p.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v, %v", conn, err)
		}
	}
	refused()
	for range 3 {
		l, err := p.Listen()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		taken, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		taken.Close()
		conn.Close()
		l.Close()
		refused()
		if l, err := net.Listen("tcp", p.Addr().String()); err == nil {
			l.Close()
			t.Error("somebody else listens on the port")
		}
	}
	// Whoever asks for any port gets another.
	for range 100 {
		other, err := port.Hold()
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if other.Addr().String() == p.Addr().String() {
			t.Fatal("the port is given twice")
		}
	}
}
