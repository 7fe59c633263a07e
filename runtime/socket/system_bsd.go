//go:build unix && !linux

package socket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// rootDir is empty: root gets a directory in the temporary one, like every user. On darwin a group may
// write to /var/run, which Listen would refuse.
const rootDir = ""

const pollHangUp = unix.POLLHUP

const openDirFlags = unix.O_RDONLY

// reach returns a path to name that fits into a socket address.
func (d *dir) reach(name string) (string, error) {
	full := d.path + name
	if len(full) > maxPath {
		return "", fmt.Errorf("%w: %d bytes, the limit is %d: choose a shorter one", ErrPathTooLong, len(full), maxPath)
	}
	return full, nil
}

// isMountPlain reports that mounts do not map ids.
func (d *dir) isMountPlain(string) bool { return true }
