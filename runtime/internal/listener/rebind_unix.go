//go:build unix

package listener

import (
	"errors"
	"fmt"
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// rebind makes the lock file and the socket file again if they are no longer at their path. It returns the
// listener on the new socket, or nil if the bound one is still there.
func (c *claim) rebind(conf *Config) (*net.UnixListener, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pin == nil || c.theirs || c.lock == nil {
		return nil, nil
	}
	moved, err := c.dir.IsReplaced()
	switch {
	case err != nil:
		return nil, dirLost(err)
	case moved:
		return c.rebindElsewhere(conf)
	}
	l, err := c.rebindHere(conf)
	if errors.Is(err, errDirReplaced) {
		return c.rebindElsewhere(conf)
	}
	if err != nil {
		// In a directory that was removed meanwhile nothing can be made, which is not the reason to tell.
		if _, lost := c.dir.IsReplaced(); lost != nil {
			return nil, dirLost(lost)
		}
	}
	return l, err
}

func dirLost(err error) error {
	return fmt.Errorf("the directory was moved or removed, and clients do not find the socket: bring it back, or make it again: %w", err)
}

// rebindElsewhere claims the path in the directory that it leads to now. The caller holds mu.
func (c *claim) rebindElsewhere(conf *Config) (*net.UnixListener, error) {
	again, err := claimPath(c.dir.Path, c.name, conf)
	if err != nil {
		return nil, fmt.Errorf("the directory was replaced by another: %w", err)
	}
	// If the directory was moved away, the file is still there. Nobody will serve it.
	unlinkPinned(c.dir, c.name, c.pin)
	c.forget()
	c.leaveDir()
	c.dir, c.lock, c.pin, c.listener = again.dir, again.lock, again.pin, again.listener
	return c.listener, nil
}

// rebindHere handles a directory that is still the same. The caller holds mu.
func (c *claim) rebindHere(conf *Config) (*net.UnixListener, error) {
	if !c.dir.IsStill(LockName(c.name), c.lock) {
		// A process that has locked a new lock file owns the path now.
		lock, err := takeLock(c.dir, c.name)
		if err != nil {
			return nil, err
		}
		c.lock.Close()
		c.lock = lock
	}
	now, err := c.dir.Lstat(c.name)
	if err == nil && opendir.SameFile(now, c.pin.stat) {
		return nil, nil
	}
	sockPath, err := c.dir.SockPath(c.name)
	if err != nil {
		return nil, err
	}
	if err := removeStale(c.dir, c.name, sockPath); err != nil {
		return nil, err
	}
	oldPin, oldListener := c.pin, c.listener
	c.pin = nil
	l, err := c.bind(sockPath, conf)
	if err != nil {
		if c.pin != nil { // it was bound, and something failed afterwards
			unlinkPinned(c.dir, c.name, c.pin)
			c.pin.close()
		}
		c.pin, c.listener = oldPin, oldListener
		return nil, err
	}
	oldPin.close()
	return l, nil
}
