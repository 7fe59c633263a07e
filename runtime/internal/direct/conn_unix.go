//go:build unix

package direct

import (
	"io"
	"os"
	"syscall" // whose Read and Write the race detector takes for what they are, a hand-over
)

// eagerTries is how often to try again before a goroutine waits for the other end of a
// connection that is in the middle of a large message. The kernel's queue holds a fraction of it,
// so both ends would go to sleep and be woken for each piece, which takes longer than the piece.
const eagerTries = 50

func (c *conn) fill() error {
	waitErr := c.raw.Read(c.tryFill)
	n, err := c.readResult(waitErr)
	c.rd.w += n
	if err != nil {
		c.rd.release()
	}
	return err
}

// fillOnce is what the poller calls for fill when there may be something to read.
func (c *conn) fillOnce(fd uintptr) (done bool) {
	f := &c.rd
	if f.buf == nil {
		f.buf = f.pool.Get(readBuffer)
	}
	for {
		c.readN, c.readErr = syscall.Read(int(fd), (*f.buf)[f.w:])
		switch c.readErr {
		case syscall.EINTR:
		case syscall.EAGAIN:
			f.release()
			return false
		default:
			return true
		}
	}
}

// readEager reads like Read, when more is known to be on its way.
func (c *conn) readEager(p []byte) (int, error) {
	waitErr := c.raw.Read(func(fd uintptr) bool {
		for range eagerTries {
			c.readN, c.readErr = syscall.Read(int(fd), p)
			if c.readErr != syscall.EAGAIN && c.readErr != syscall.EINTR {
				return true
			}
		}
		return false
	})
	return c.readResult(waitErr)
}

func (c *conn) readResult(waitErr error) (int, error) {
	switch {
	case waitErr != nil:
		return 0, waitErr
	case c.readErr != nil:
		return 0, os.NewSyscallError("read", c.readErr)
	case c.readN == 0:
		return 0, io.EOF
	}
	return c.readN, nil
}

// writeEager writes all of p, when the other end is known to read.
func (c *conn) writeEager(p []byte) (written int, err error) {
	waitErr := c.raw.Write(func(fd uintptr) bool {
		for tries := 0; written < len(p); tries++ {
			n, writeErr := syscall.Write(int(fd), p[written:])
			switch {
			case n > 0:
				written += n
				tries = 0
			case writeErr != syscall.EAGAIN && writeErr != syscall.EINTR:
				err = os.NewSyscallError("write", writeErr)
				return true
			case tries >= eagerTries:
				return false
			}
		}
		return true
	})
	if waitErr != nil {
		return written, waitErr
	}
	return written, err
}
