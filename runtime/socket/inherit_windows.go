package socket

import (
	"fmt"
	"os"
)

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
