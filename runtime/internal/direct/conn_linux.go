package direct

import (
	"io"
	"os"
	"syscall" // whose Read and Write the race detector takes for what they are, a hand-over

	"golang.org/x/sys/unix"
)

// Fill has a buffer of its own only while there is something to read.
func (c *conn) Fill() error {
	if r := c.ringIn(); r != nil {
		return r.fill()
	}
	c.waited = false
	waitErr := c.raw.Read(c.tryFill)
	n, err := c.readResult(waitErr)
	c.rd.Filled(n)
	if err != nil {
		c.rd.FreeBuffer()
	}
	return err
}

// fillOnce is called by the poller, for fill, when there may be something to read.
func (c *conn) fillOnce(fd uintptr) (done bool) {
	f := &c.rd
	space := f.Space()
	c.parked.Store(false)
	for {
		c.readN, c.readErr = c.readOnce(int(fd), space)
		switch c.readErr {
		case syscall.EINTR:
		case syscall.EAGAIN:
			c.waited = true
			c.parked.Store(true)
			f.FreeBuffer()
			return false
		default:
			return true
		}
	}
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

// writeOnce is called by the poller, for write, when there may be room.
func (c *conn) writeOnce(fd uintptr) (done bool) {
	for {
		n, err := c.writePieces(int(fd))
		c.wrote, c.writeErr = max(n, 0), nil
		switch err {
		case nil:
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return !c.wait
		default:
			c.writeErr = os.NewSyscallError("write", err)
			return true
		}
	}
}

// maxPieces is how many pieces writev(2) takes, UIO_MAXIOV in the kernel. A codec of the program can make a message
// of more.
const maxPieces = 1024

// writePieces may write less than there is room for.
func (c *conn) writePieces(fd int) (int, error) {
	switch {
	case c.passing != nil:
		return c.sendFiles(fd)
	case len(c.pieces) == 1 || raceDetector:
		return syscall.Write(fd, c.pieces[0])
	}
	return unix.Writev(fd, c.pieces[:min(len(c.pieces), maxPieces)])
}

// shutDown tells the other end that nothing more is sent or read, as Close does, and wakes the reading and
// the writing goroutine. What has arrived can still be read, and then comes the end.
func (c *conn) shutDown() {
	if r := c.rings.Load(); r != nil {
		r.Shutdown()
	}
	c.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
}

// idle reports whether the connection is as it must be between calls: open, with nothing to read.
func (c *conn) idle() bool {
	if c.awaitsMove() {
		// Another look at the socket could find the frame that has not come yet, which is no reason to give the connection up.
		if moved, ok := c.receiveMove(); !moved || !ok {
			return ok
		}
	}
	if r := c.ringIn(); r != nil {
		return r.Idle()
	}
	var peekErr error
	err := c.raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, peekErr = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err == nil && peekErr == syscall.EAGAIN
}

// sendBuffer returns how much the kernel lets a connection queue.
func (c *conn) sendBuffer() int {
	n := 0
	c.raw.Control(func(fd uintptr) { n, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF) })
	return n
}

// allRead reports whether the other end has read everything that was sent, and nothing from there is on its
// way to the program: neither in the socket nor with the goroutine that reads. What the other end wrote before
// it read the last of that has been dealt with, then.
func (c *conn) allRead() bool {
	if r := c.ringIn(); r != nil {
		return r.Unread() == 0 && r.Arrived() == 0 && c.parked.Load()
	}
	unread := 1
	err := c.raw.Control(func(fd uintptr) {
		if n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			unread = n
		}
	})
	return err == nil && unread == 0 && c.idle() && c.parked.Load() // in this order
}
