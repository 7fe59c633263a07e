//go:build unix

package socket

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// rebind makes the lock file and the socket file again if they are no longer at their path. It returns the
// listener on the new socket, or nil if the bound one is still there.
func (c *claim) rebind(conf *ListenConfig) (*net.UnixListener, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pin == nil || c.theirs || c.lock == nil {
		return nil, nil
	}
	moved, err := c.dir.isAnother()
	switch {
	case err != nil:
		return nil, fmt.Errorf("the directory was moved or removed, and clients do not find the socket: bring it back, or make it anew: %w", err)
	case moved:
		return c.rebindElsewhere(conf)
	default:
		return c.rebindHere(conf)
	}
}

// rebindElsewhere claims the path in the directory that it leads to now. The caller holds mu.
func (c *claim) rebindElsewhere(conf *ListenConfig) (*net.UnixListener, error) {
	again, err := claimPath(c.dir.path, c.name, conf)
	if err != nil {
		return nil, fmt.Errorf("the directory was replaced by another: %w", err)
	}
	// If the directory was moved away, the file is still there. Nobody will serve it.
	c.dir.unlinkPinned(c.name, c.pin)
	c.forget()
	c.leaveDir()
	c.dir, c.lock, c.pin, c.listener = again.dir, again.lock, again.pin, again.listener
	return c.listener, nil
}

// rebindHere handles a directory that is still the same. The caller holds mu.
func (c *claim) rebindHere(conf *ListenConfig) (*net.UnixListener, error) {
	if !c.dir.isStill(lockName(c.name), c.lock) {
		// A process that has locked a new lock file owns the path now.
		lock, err := c.dir.acquire(c.name)
		if err != nil {
			return nil, err
		}
		c.lock.Close()
		c.lock = lock
	}
	now, err := c.dir.lstat(c.name)
	if err == nil && sameFile(now, c.pin.stat) {
		return nil, nil
	}
	reach, err := c.dir.reach(c.name)
	if err != nil {
		return nil, err
	}
	if err := c.dir.removeStale(c.name, reach); err != nil {
		return nil, err
	}
	lost, served := c.pin, c.listener
	c.pin = nil
	l, err := c.bind(reach, conf)
	if err != nil {
		if c.pin != nil { // it was bound, and something failed afterwards
			c.dir.unlinkPinned(c.name, c.pin)
			c.pin.close()
		}
		c.pin, c.listener = lost, served
		return nil, err
	}
	lost.close()
	return l, nil
}

// isAnother reports whether the path leads to another directory by now.
func (d *dir) isAnother() (bool, error) {
	var opened, named unix.Stat_t
	if err := unix.Fstat(d.fd, &opened); err != nil {
		return false, &os.PathError{Op: "stat directory", Path: d.path, Err: err}
	}
	if err := unix.Stat(d.path, &named); err != nil {
		return false, &os.PathError{Op: "stat directory", Path: d.path, Err: err}
	}
	return !sameFile(opened, named), nil
}
