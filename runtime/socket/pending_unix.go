//go:build unix

package socket

import "golang.org/x/sys/unix"

// Pending reports whether clients wait to be accepted. On Windows it is always false.
func (l *Listener) Pending() (waiting bool) {
	raw, err := l.SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		waiting = err == nil && n == 1
	})
	return waiting
}
