package socket

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// errQueueFull is what a nonblocking connect reports while it cannot be completed.
const errQueueFull = windows.WSAEWOULDBLOCK

// sockPath returns the path for connect, valid until done is called.
func (a Address) sockPath() (name string, done func(), err error) {
	if len(a.name) > opendir.MaxPath {
		return "", nil, fmt.Errorf("%w: %d bytes, the limit is %d: choose a shorter one", ErrPathTooLong, len(a.name), opendir.MaxPath)
	}
	return a.String(), func() {}, nil
}

// defaultDir returns the directory of default paths, and makes it if it is missing. Its access control
// list is that of the user's local data.
func defaultDir() (string, error) {
	parent, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "udsgrpc")
	return dir, os.MkdirAll(dir, 0o700)
}
