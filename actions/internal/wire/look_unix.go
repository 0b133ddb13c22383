//go:build unix

package wire

import (
	"errors"
	"syscall"
)

// lookAt is what c.sys is read by: without waiting, as the descriptor doesn't block.
func (c *conn) lookAt(fd uintptr) bool {
	_, err := syscall.Read(int(fd), c.peeked[:])
	c.over = !errors.Is(err, syscall.EAGAIN)
	return true
}
