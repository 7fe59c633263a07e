package direct

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Supported reports whether the direct transport is available: on Linux, where it was tested.
const Supported = true

// hangups notices that the other end of a connection was closed, even while nobody reads from it: a
// running handler must learn that its client has gone. A connection is added once and costs nothing per
// call. This needs an epoll(7) instance of its own, because Go's reports the events of a connection to one
// goroutine at a time, which may be a reader. Go's poller waits for this instance.
type hangups struct {
	file *os.File // the epoll instance
	fd   int
	done sync.WaitGroup

	mu    sync.Mutex
	calls map[int32]hangup
	next  int32
}

// hangup is what to do for a connection. The number distinguishes it from an earlier connection with the
// same descriptor.
type hangup struct {
	number int32
	f      func()
}

func newHangups() (*hangups, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// os gives only nonblocking descriptors to Go's poller.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	h := &hangups{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, calls: map[int32]hangup{}}
	raw, err := h.file.SyscallConn()
	if err != nil {
		h.file.Close()
		return nil, err
	}
	h.done.Go(func() {
		events := make([]unix.EpollEvent, 64)
		for raw.Read(func(fd uintptr) bool { return h.deliver(int(fd), events) }) == nil {
		}
	})
	return h, nil
}

// deliver reports the events that there are, and returns whether there were any.
func (h *hangups) deliver(fd int, events []unix.EpollEvent) bool {
	n, err := unix.EpollWait(fd, events, 0)
	if errors.Is(err, unix.EINTR) {
		return true
	}
	for _, e := range events[:max(n, 0)] {
		h.mu.Lock()
		c := h.calls[e.Fd]
		h.mu.Unlock()
		if c.f != nil && c.number == e.Pad {
			c.f()
		}
	}
	return n != 0
}

// add calls f when the other end of c is closed, but not when this side shuts c down. The returned
// function ends the watch, and must be called before c is closed.
func (h *hangups) add(c *conn, f func()) (remove func(), err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var addErr error
	var key, number int32
	err = raw.Control(func(fd uintptr) {
		key = int32(fd)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.next++
		number = h.next
		h.calls[key] = hangup{number, f}
		// The kernel always reports EPOLLHUP; nothing else is needed.
		addErr = unix.EpollCtl(h.fd, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLET, Fd: key, Pad: number})
		if addErr != nil {
			delete(h.calls, key)
		}
	})
	if err := errors.Join(err, addErr); err != nil {
		return nil, err
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.calls[key].number == number {
			delete(h.calls, key)
		}
	}, nil
}

func (h *hangups) close() {
	h.file.Close()
	h.done.Wait()
}
