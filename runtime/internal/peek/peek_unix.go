//go:build unix

package peek

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Bytes waits until the bytes that the other end has sent are enough or fill b. It copies them to b, leaves
// them in the queue, and returns how many they are. It ends with conn's read deadline. The error is
// [io.EOF] if no more will arrive. On Windows it is [sockerr.ErrUnsupported].
func Bytes(conn *net.UnixConn, b []byte, enough func([]byte) bool) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var peekErr error
	err = raw.Read(func(fd uintptr) (done bool) {
		n, _, peekErr = unix.Recvfrom(int(fd), b, unix.MSG_PEEK)
		switch {
		case peekErr == unix.EAGAIN || peekErr == unix.EINTR:
			return false
		case peekErr != nil || n == 0 || n == len(b) || enough(b[:n]):
			return true
		}
		// Bytes in the queue would be found again after a hang-up, too.
		if hungUp(int(fd)) {
			n = 0
			return true
		}
		return false
	})
	switch {
	case err != nil:
		return 0, err
	case peekErr != nil:
		return 0, os.NewSyscallError("recvfrom", peekErr)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Arrived copies to b what the other end has sent, and leaves it in the queue. It does not wait, and reports
// whether that filled b. On Windows it reports false.
func Arrived(conn *net.UnixConn, b []byte) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var n int
	err = raw.Control(func(fd uintptr) { n, _, _ = unix.Recvfrom(int(fd), b, unix.MSG_PEEK|unix.MSG_DONTWAIT) })
	return err == nil && n == len(b)
}

// hungUp reports whether the other end will send nothing more.
func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: pollHangUp}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}
