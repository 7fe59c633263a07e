package opendir

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// O_PATH needs no permission to list the directory, which /run/app may well deny.
const openFlags = unix.O_PATH

// SockPath returns a path to name that fits into a socket address: the full one, or one through the open
// directory.
func (d *Dir) SockPath(name string) (string, error) {
	full := d.Path + name
	if len(full) <= MaxPath {
		return full, nil
	}
	short := fmt.Sprintf("/proc/self/fd/%d/%s", d.FD, name)
	if len(short) > MaxPath {
		return "", fmt.Errorf("%w: %d bytes, the limit is %d, and the file name alone is too long to go round it: choose a shorter name for it",
			sockerr.ErrPathTooLong, len(full), MaxPath)
	}
	if err := unix.Access("/proc/self/fd", unix.X_OK); err != nil {
		return "", fmt.Errorf("%w: %d bytes, the limit is %d, and /proc, which leads round it, is not there: choose a shorter path: %w",
			sockerr.ErrPathTooLong, len(full), MaxPath, err)
	}
	return short, nil
}
