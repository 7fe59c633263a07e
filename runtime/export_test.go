package runtime

import (
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// RestartAfter is a supervisor's first pause, and how long a child serves to be settled, for tests.
func RestartAfter(pause, settled time.Duration) ChildOption {
	return func(c *childConfig) { c.restartPause, c.settledTime = pause, settled }
}

// MaxFilesOf returns how many open files a message to a server with these options can have.
func MaxFilesOf(opts ...ServerOption) (int, error) {
	c, err := newServerConfig(socket.Address{}, opts)
	return c.maxFiles.get(), err
}

// DialMaxFilesOf is MaxFilesOf for a client.
func DialMaxFilesOf(opts ...DialOption) (int, error) {
	c, err := newDialConfig(opts)
	return c.maxFiles.get(), err
}
