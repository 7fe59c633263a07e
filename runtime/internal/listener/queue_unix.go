//go:build unix

package listener

import "golang.org/x/sys/unix"

// HasQueued reports whether clients wait to be accepted by this listener. Those of an [Activated] listener
// that was withdrawn do not count. On Windows it is always false.
func (l *Listener) HasQueued() (waiting bool) {
	if l.passed != nil && l.passed.withdrawn.Load() {
		return false
	}
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
