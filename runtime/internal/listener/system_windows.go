package listener

import (
	"fmt"
	"net"
	"os"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// Windows cannot pass sockets to other processes, or peek at what a socket has received.

func activated(string) (*Listener, error) { return nil, nil }

func activatedAddress(string) (string, bool, error) { return "", false, nil }

// BindForChild is [sockerr.Unsupported] on Windows, where a child process inherits no sockets.
func BindForChild(addr string) (*os.File, error) {
	return nil, fmt.Errorf("bind %s for another process: %w", addr, sockerr.Unsupported)
}

// InheritBound is [sockerr.Unsupported] on Windows.
func InheritBound(_ int, addr string) (*os.File, error) {
	return nil, fmt.Errorf("inherit %s: %w", addr, sockerr.Unsupported)
}

// ListenInherited is [sockerr.Unsupported] on Windows.
func ListenInherited(_ *os.File, addr string) (*Listener, error) {
	return nil, fmt.Errorf("listen on %s: %w", addr, sockerr.Unsupported)
}

// Peek is [sockerr.Unsupported] on Windows, where bytes cannot be peeked.
func Peek(*net.UnixConn, []byte, func([]byte) bool) (int, error) { return 0, sockerr.Unsupported }

// HasQueued reports whether clients wait to be accepted by this listener. On Windows it is always false.
func (l *Listener) HasQueued() bool { return false }
