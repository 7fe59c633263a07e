//go:build unix

package socket

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// PeekByte waits for the first byte that the other end sends, and leaves it to be read. It
// ends with conn's read deadline. The error is [io.EOF] if nothing will come. On Windows it
// is [ErrUnsupported].
func PeekByte(conn *net.UnixConn) (byte, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var peekErr error
	buf := make([]byte, 1)
	err = raw.Read(func(fd uintptr) (done bool) {
		n, _, peekErr = unix.Recvfrom(int(fd), buf, unix.MSG_PEEK)
		return peekErr != unix.EAGAIN && peekErr != unix.EINTR
	})
	switch {
	case err != nil:
		return 0, err
	case peekErr != nil:
		return 0, os.NewSyscallError("recvfrom", peekErr)
	case n == 0:
		return 0, io.EOF
	}
	return buf[0], nil
}
