package direct

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// sendRingFrame writes a ring frame to the socket, together with rights unless those are nil. The caller has the
// right to write there. The error is EAGAIN if there is no room and wait is not set.
func (c *conn) sendRingFrame(r wire.Ring, rights []byte, wait bool) error {
	sent, err := c.sendWith(wire.AppendRingFrame(nil, r), rights, wait)
	if !sent && err == nil {
		return syscall.EAGAIN
	}
	return err
}

// passFiles sends the descriptors in passing, with a doorbell. It reports whether there was room for them.
func (c *conn) passFiles(wait bool) (sent bool, err error) {
	return c.sendWith([]byte{ring.Doorbell}, c.passing, wait)
}

// sendWith sends a few bytes, of which the kernel takes all or none. A receiver that lets this process send no
// descriptors gets the bytes alone; see sendFiles.
func (c *conn) sendWith(b, rights []byte, wait bool) (sent bool, err error) {
	waitErr := c.raw.Write(func(fd uintptr) bool {
		for {
			err = unix.Sendmsg(int(fd), b, rights, nil, unix.MSG_NOSIGNAL)
			switch err {
			case syscall.EINTR:
			case syscall.EPERM:
				if rights == nil {
					return true
				}
				rights = nil
			case syscall.EAGAIN:
				if !wait {
					err = nil
					return true
				}
				return false
			default:
				sent = err == nil
				return true
			}
		}
	})
	if waitErr != nil {
		return false, waitErr
	}
	return sent, err
}

// otherGone reports whether the other end has closed the connection.
func (c *conn) otherGone() (gone bool) {
	err := c.raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(poll, 0)
		gone = err == nil && n > 0 && poll[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}

// awaitsMove reports whether this client's end has moved to the ring and the server's has not yet.
func (c *conn) awaitsMove() bool {
	r := c.rings.Load()
	return r != nil && !r.inMoved.Load() && c.outgoing.Load() == outMoved
}

// receiveMove receives the ring frame by which the server moves, between calls, and reports whether it has come. It also
// reports whether there is nothing else, and the connection is open.
func (c *conn) receiveMove() (moved, ok bool) {
	want := wire.AppendRingFrame(nil, wire.RingMoved)
	err := c.raw.Control(func(fd uintptr) {
		b := make([]byte, len(want))
		n, err := syscall.Read(int(fd), b)
		switch {
		case err == syscall.EAGAIN:
			ok = true
		case err == nil && string(b[:max(n, 0)]) == string(want):
			moved, ok = true, c.moveIn(c.rings.Load()) == nil
		}
	})
	return moved, ok && err == nil
}
