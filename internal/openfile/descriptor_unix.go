//go:build unix

package openfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// Duplicate returns a descriptor of its own for the file, which is not passed on to child processes. It
// belongs to the caller, and [CloseDescriptor] closes it.
func Duplicate(f *os.File) (int, error) {
	duplicate := -1
	var failed error
	if err := Control(f, func(fd uintptr) {
		duplicate, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	if failed != nil {
		return -1, os.NewSyscallError("fcntl", failed)
	}
	return duplicate, nil
}

// CloseDescriptor closes a descriptor that is in no [os.File].
func CloseDescriptor(fd int) { unix.Close(fd) }
