package listener

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// How often, and how far apart, to try a name that this process itself has. A child between fork and exec
// has a copy of every descriptor, so the name of a listener that was just closed may be in use a few
// milliseconds longer.
const (
	ownNameTries = 50
	ownNameWait  = time.Millisecond
)

func listenAbstract(addr string, c *Config) (*Listener, error) {
	if c.Owner != nil {
		return nil, fmt.Errorf("an abstract name has no owner: %w", sockerr.ErrUnsupported)
	}
	for tries := 1; ; tries++ {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: addr, Net: "unix"})
		if err == nil {
			return newListener(addr, l, nil), nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, err
		}
		pid, probeErr := probe(addr)
		if probeErr != nil {
			pid = 0
		}
		// It refuses connections if it has gone away since the attempt.
		gone := errors.Is(probeErr, unix.ECONNREFUSED)
		if pid != os.Getpid() && !gone || tries == ownNameTries {
			return nil, fmt.Errorf("%w: %w", inUse(pid, "listens on it"), err)
		}
		<-time.After(ownNameWait)
	}
}
