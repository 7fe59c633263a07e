//go:build unix && !linux

package socket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const openDirFlags = unix.O_RDONLY

// reach returns a path to name that fits into a socket address.
func (d *dir) reach(name string) (string, error) {
	full := d.path + name
	if len(full) > maxPath {
		return "", fmt.Errorf("%w: %d bytes, the limit is %d: choose a shorter one", ErrPathTooLong, len(full), maxPath)
	}
	return full, nil
}
