package socket

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

func listenAbstract(addr Address, c *ListenConfig) (*Listener, error) {
	if c.Owner != nil {
		return nil, fmt.Errorf("an abstract name has no owner: %w", ErrUnsupported)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: addr.String(), Net: "unix"})
	if errors.Is(err, unix.EADDRINUSE) {
		pid, probeErr := probe(addr.String())
		if probeErr != nil {
			pid = 0
		}
		return nil, fmt.Errorf("%w: %w", inUse(pid, "listens on it"), err)
	}
	if err != nil {
		return nil, err
	}
	return newListener(addr, l, nil), nil
}
