package ring

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// waiter is the reading or the writing goroutine when it waits.
type waiter struct {
	flag     *atomic.Uint32 // tells the other end that it sleeps, and where; 0 if not
	rang     *atomic.Uint32 // when the other end has rung, on the clock of clock
	ready    func() bool    // there is nothing to wait for
	longWait func()         // see Socket
	history  history
	number   uint32        // where it follows
	since    time.Duration // when it began to
	orders   chan order    // gets one each time
}

// asleep is what the flag is of one that sleeps at its socket.
const asleep = 1

// clock returns a time that both ends read alike. It begins again at 0 every four seconds.
func clock() uint32 { return uint32(time.Now().UnixNano()) }

// wait waits until w is ready. The error is of the socket.
func (c *Conn) wait(w *waiter) error {
	if !c.otherSleeps.Load() && c.spinners.mayWait() && (c.spinners.spin(w) || c.spinners.block(w)) {
		return nil
	}
	w.longWait()
	err := c.sleep(w)
	w.history.slept = sinceStart()
	return err
}

// sleep waits for a doorbell. One goroutine at a time can wait for the socket. The other waits for that one to hear a
// doorbell, and then looks itself and takes over the socket: nobody knows for whom it was.
func (c *Conn) sleep(w *waiter) (err error) {
	defer func() {
		if w.flag.Swap(0) == 0 && err == nil { // the other end has rung
			c.spinners.woke(time.Duration(clock() - w.rang.Load()))
		}
	}()
	for {
		w.flag.Store(asleep)
		if w.ready() {
			return nil
		}
		if err != nil {
			return err
		}
		c.bells <- struct{}{}
		c.since = c.heard.Load()
		if !w.ready() {
			err = c.hear()
		}
		<-c.bells // the other goroutine gets it, if that waits
		if w.ready() {
			return nil
		}
	}
}

// ringReader wakes the reader at the other end if it sleeps, or is about to. A server then does as the client does, which
// knows whether it has better things to do than to wait for this connection.
func (c *Conn) ringReader() {
	was := c.ring(c.out.readerSleeps, c.out.rangReader)
	if c.follows {
		c.otherSleeps.Store(was != 0 && was&blocked == 0)
	}
}

// ring wakes the other end if it sleeps, or is about to. It returns what the word was.
func (c *Conn) ring(sleeps, rang *atomic.Uint32) (was uint32) {
	if sleeps.Load() == 0 {
		return 0
	}
	was = sleeps.Swap(0)
	if was == 0 {
		return 0
	}
	rang.Store(clock())
	if was&blocked != 0 {
		futexWake(sleeps)
		return was
	}
	c.socket.Raw.Control(c.ringBell) // if there is no room for it, there are doorbells that it has not heard yet
	return was
}

// hear waits for a doorbell.
func (c *Conn) hear() error {
	err := c.socket.Raw.Read(c.readBell)
	switch {
	case err != nil:
		return err
	case c.bellErr == syscall.EAGAIN:
		return nil // Hear has taken it
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
	return c.bellErr != syscall.EAGAIN || c.heard.Load() != c.since
}

// Hear takes doorbells off the socket, as long as there are some and enough is false. It does not wait. The reading
// goroutine calls it for what comes with doorbells.
func (c *Conn) Hear(enough func() bool) {
	c.socket.Raw.Control(func(fd uintptr) {
		var b [1]byte
		for !enough() {
			n, err := c.socket.Receive(int(fd), b[:])
			if err == syscall.EINTR {
				continue
			}
			if err != nil || n == 0 {
				return
			}
			c.heard.Add(1)
		}
	})
}

func (c *Conn) receive(fd int) (n int, err error) {
	for {
		n, err = c.socket.Receive(fd, c.bell[:])
		if err != syscall.EINTR {
			return n, err
		}
	}
}
