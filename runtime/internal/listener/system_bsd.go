//go:build unix && !linux

package listener

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// restrict does nothing: here the mode can only be set between bind and listen.
func restrict(int, uint32) error { return nil }

func newSocket() (int, error) {
	// Without SOCK_CLOEXEC a fork at the wrong moment would leak the descriptor.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("setnonblock", err)
	}
	return fd, nil
}
