package listener

import (
	"fmt"
	"os"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// Windows cannot pass sockets to other processes.

func activated(string) (*Listener, error) { return nil, nil }

func activatedAddress(string) (string, bool, error) { return "", false, nil }

// BindForChild is [sockerr.ErrUnsupported] on Windows, where a child process inherits no sockets.
func BindForChild(addr string) (*os.File, error) {
	return nil, fmt.Errorf("bind %s for another process: %w", addr, sockerr.ErrUnsupported)
}

// InheritBound is [sockerr.ErrUnsupported] on Windows.
func InheritBound(_ int, addr string) (*os.File, error) {
	return nil, fmt.Errorf("inherit %s: %w", addr, sockerr.ErrUnsupported)
}

// ListenInherited is [sockerr.ErrUnsupported] on Windows.
func ListenInherited(_ *os.File, addr string) (*Listener, error) {
	return nil, fmt.Errorf("listen on %s: %w", addr, sockerr.ErrUnsupported)
}

// HasQueued reports whether clients wait to be accepted by this listener. On Windows it is always false.
func (l *Listener) HasQueued() bool { return false }
