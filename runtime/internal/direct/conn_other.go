//go:build !linux

package direct

import "errors"

// There is no direct transport but on Linux; see Supported.

func (c *conn) Fill() error { return errors.ErrUnsupported }

func (c *conn) fillOnce(uintptr) bool { return true }

func (c *conn) writeOnce(uintptr) bool {
	c.wrote, c.writeErr = 0, errors.ErrUnsupported
	return true
}

func (c *conn) shutDown() { c.Close() }

func (c *conn) idle() bool { return true }

func (c *conn) sendBuffer() int { return 0 }
