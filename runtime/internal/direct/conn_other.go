//go:build !linux

package direct

import (
	"errors"
	"syscall"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

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

func (c *conn) allRead() bool { return false }

func (f *incoming) read(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

func (c *conn) readOnce(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

func (c *conn) sendRingFrame(wire.Ring, []byte, bool) error { return errors.ErrUnsupported }

func (c *conn) passFiles(bool) (bool, error) { return false, errors.ErrUnsupported }

func (c *conn) otherGone() bool { return true }

func rights([]int) []byte { return nil }

func (c *conn) allowFiles() {}

func closeDescriptors([]int) {}
