package socket

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// errQueueFull is what a nonblocking connect reports while it cannot be completed.
const errQueueFull = windows.WSAEWOULDBLOCK

// reach returns the path for connect, valid until done is called.
func (a Address) reach() (name string, done func(), err error) {
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

// Windows cannot pass sockets to other processes, or peek at what a socket has received.

func activated(Address) (*Listener, error) { return nil, nil }

func activatedAddress(string) (Address, bool, error) { return Address{}, false, nil }

// Bind is [ErrUnsupported] on Windows, where a child process inherits no sockets.
func Bind(path string) (*os.File, error) {
	return nil, fmt.Errorf("bind %s for another process: %w", path, ErrUnsupported)
}

// InheritBound is [ErrUnsupported] on Windows.
func InheritBound(_ int, path string) (*os.File, error) {
	return nil, fmt.Errorf("inherit %s: %w", path, ErrUnsupported)
}

// ListenBound is [ErrUnsupported] on Windows.
func ListenBound(_ *os.File, path string) (*Listener, error) {
	return nil, fmt.Errorf("listen on %s: %w", path, ErrUnsupported)
}

// PeekByte is [ErrUnsupported] on Windows, where a byte cannot be peeked.
func PeekByte(*net.UnixConn) (byte, error) { return 0, ErrUnsupported }

// Peek is [ErrUnsupported] here, as PeekByte is.
func Peek(*net.UnixConn, []byte, func([]byte) bool) (int, error) { return 0, ErrUnsupported }

// Pending reports whether clients wait to be accepted by this listener. Those of an [Activated] listener
// that was withdrawn do not count. On Windows it is always false.
func (l *Listener) Pending() bool { return false }
