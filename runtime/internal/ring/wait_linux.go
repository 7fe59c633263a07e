package ring

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
)

// waiter is the reading or the writing goroutine when it waits.
type waiter struct {
	flag  *atomic.Uint32 // tells the other end that it sleeps
	ready func() bool    // there is nothing to wait for
	wake  chan struct{}  // by the other goroutine of this end
	other *waiter
	spins history
}

// nudge lets the waiter look again.
func (w *waiter) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// wait waits until w is ready. The error is of the socket.
func (c *Conn) wait(w *waiter) error {
	if c.spinners.spin(&w.spins, w.ready) {
		return nil
	}
	return c.sleep(w)
}

// sleep waits for a doorbell. As one goroutine at a time can wait for the socket, the other waits for that one, which
// nudges it after every doorbell: nobody knows for whom it was.
func (c *Conn) sleep(w *waiter) (err error) {
	defer w.flag.Store(0)
	for {
		w.flag.Store(1)
		if w.ready() {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case c.bells <- struct{}{}:
			if !w.ready() {
				err = c.hear()
			}
			<-c.bells
			w.other.nudge()
		case <-w.wake:
		}
	}
}

// hear waits for a doorbell.
func (c *Conn) hear() error {
	err := c.socket.Raw.Read(c.readBell)
	switch {
	case err != nil:
		return err
	case c.bellErr != nil:
		return os.NewSyscallError("read", c.bellErr)
	case c.bellN == 0:
		return io.EOF
	case c.bell[0] != Doorbell:
		return fmt.Errorf("%w: it has sent %q instead of a doorbell", ErrViolation, c.bell[0])
	}
	return nil
}

func (c *Conn) readBellOnce(fd uintptr) bool {
	c.bellN, c.bellErr = c.receive(int(fd))
	return c.bellErr != syscall.EAGAIN
}

func (c *Conn) receive(fd int) (n int, err error) {
	for {
		n, err = c.socket.Receive(fd, c.bell[:])
		if err != syscall.EINTR {
			return n, err
		}
	}
}
