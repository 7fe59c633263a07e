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
	f := &c.rd
	var n int
	var err error
	waitErr := c.raw.Read(func(fd uintptr) bool {
		if f.buf == nil {
			f.buf = f.pool.Get(readBuffer)
		}
		for {
			n, err = syscall.Read(int(fd), (*f.buf)[f.w:])
			switch err {
			case syscall.EINTR:
			case syscall.EAGAIN:
				f.release()
				return false
			default:
				return true
			}
		}
	})
	return f.filled(n, err, waitErr)
}

// readEager reads like Read, when more is known to be on its way.
func (c *conn) readEager(p []byte) (n int, err error) {
	waitErr := c.raw.Read(func(fd uintptr) bool {
		for range eagerTries {
			if n, err = syscall.Read(int(fd), p); err != syscall.EAGAIN && err != syscall.EINTR {
				return true
			}
		}
		return false
	})
	return result(n, err, waitErr)
}

func (f *reader) filled(n int, err, waitErr error) error {
	n, err = result(n, err, waitErr)
	f.w += n
	if err != nil {
		f.release()
	}
	return err
}

func result(n int, err, waitErr error) (int, error) {
	switch {
	case waitErr != nil:
		return 0, waitErr
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
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
