//go:build unix && !linux

package opendir

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

const openFlags = unix.O_RDONLY

// SockPath returns a path to name that fits into a socket address.
func (d *Dir) SockPath(name string) (string, error) {
	full := d.Path + name
	if len(full) > MaxPath {
		return "", fmt.Errorf("%w: %d bytes, the limit is %d: choose a shorter one", sockerr.ErrPathTooLong, len(full), MaxPath)
	}
	return full, nil
}

// isMountPlain reports that mounts do not map ids.
func (d *Dir) isMountPlain(string) bool { return true }
