package socket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// O_PATH needs no permission to list the directory, which /run/app may well deny.
const openDirFlags = unix.O_PATH

// reach returns a path to name that fits into a socket address: the full one, or one through the open
// directory.
func (d *dir) reach(name string) (string, error) {
	full := d.path + name
	if len(full) <= maxPath {
		return full, nil
	}
	short := fmt.Sprintf("/proc/self/fd/%d/%s", d.fd, name)
	if len(short) > maxPath {
		return "", fmt.Errorf("%w: %d bytes, the limit is %d, and the file name alone is too long to go round it: choose a shorter one",
			ErrPathTooLong, len(full), maxPath)
	}
	if err := unix.Access("/proc/self/fd", unix.X_OK); err != nil {
		return "", fmt.Errorf("%w: %d bytes, the limit is %d, and /proc, which leads round it, is not there: choose a shorter path: %w",
			ErrPathTooLong, len(full), maxPath, err)
	}
	return short, nil
}
