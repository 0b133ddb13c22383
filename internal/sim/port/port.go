// Package port keeps a TCP port while nobody listens on it: connections to it
// are refused, and the system gives it to nobody else meanwhile. A port that is
// closed and counted on all the same may be another's by then.
package port

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Port is a port of 127.0.0.1. It is safe for concurrent use.
type Port struct {
	held net.Addr
	file *os.File // a socket that is bound and never listens
}

// Hold takes a free port and keeps it until Close.
func Hold() (*Port, error) {
	p, err := hold()
	if err != nil {
		return nil, fmt.Errorf("hold a port: %w", err)
	}
	return p, nil
}

func hold() (*Port, error) {
	syscall.ForkLock.RLock() // no child may have it
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	p := &Port{file: os.NewFile(uintptr(fd), "port")}
	if err := share(uintptr(fd)); err != nil {
		p.Close()
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		p.Close()
		return nil, os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		p.Close()
		return nil, os.NewSyscallError("getsockname", err)
	}
	at := name.(*unix.SockaddrInet4)
	p.held = &net.TCPAddr{IP: at.Addr[:], Port: at.Port}
	return p, nil
}

// share lets this user's other sockets have the same port, if they ask for it by
// its number.
func share(fd uintptr) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// Addr is the port's.
func (p *Port) Addr() net.Addr { return p.held }

// Listen takes the connections to the port, until the listener is closed. One
// listener at a time may be open.
func (p *Port) Listen() (net.Listener, error) {
	sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if failed := c.Control(func(fd uintptr) { err = share(fd) }); failed != nil {
			return failed
		}
		return err
	}}
	return sharing.Listen(context.Background(), "tcp4", p.held.String())
}

// Close gives the port back. Listeners that are open stay so.
func (p *Port) Close() { _ = p.file.Close() } // of a socket that was never used
