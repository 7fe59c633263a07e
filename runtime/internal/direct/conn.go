package direct

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
)

const (
	// copyLimit is up to which size a message is copied behind its frame's header, which is cheaper
	// than another write(2).
	copyLimit = 16 << 10

	// flushAt is how much waits for the flusher at most.
	flushAt = 32 << 10

	// keepIdle is how large a buffer a connection keeps between calls.
	keepIdle = 1 << 10
)

// conn is one end of a connection. One goroutine reads from it at a time.
//
// To write, lock pendingMu, append frames to pending, and call flushNow or flushSoon.
type conn struct {
	*net.UnixConn
	raw  syscall.RawConn
	rd   reader
	peer peer.Peer
	// Of a client:
	used  bool                   // since the pool's last sweep
	abort atomic.Pointer[func()] // ends the stream that has the connection; nil if there is none

	tryFill func(fd uintptr) bool // fillOnce, made once
	readN   int                   // what the last read(2) returned
	readErr error

	generation int64  // of a client's
	onClose    func() // nil for nothing
	closed     atomic.Bool

	accepted atomic.Bool // the kernel has taken bytes of the call

	scratch []byte // for a small message; used by who sends

	pendingMu sync.Mutex
	pending   []byte   // frames that were not written yet
	flusher   *flusher // nil unless a stream has made use of it

	writing sync.Mutex // held while pending is taken and written
	spare   []byte     // to be the next pending
	err     error      // of the first write that failed
}

// flusher writes what was left to it.
type flusher struct {
	idle bool          // it waits; guarded by the connection's pendingMu
	wake chan struct{} // closed to end it
}

func newConn(c *net.UnixConn, info credentials.AuthInfo, pool *buffers) (*conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	n := &conn{UnixConn: c, raw: raw, peer: peer.Peer{Addr: c.RemoteAddr(), LocalAddr: c.LocalAddr(), AuthInfo: info}}
	n.rd.init(n, pool)
	n.tryFill = n.fillOnce
	return n, nil
}

// Close closes the connection; again does nothing.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	err := c.UnixConn.Close()
	c.pendingMu.Lock()
	c.endFlusher() // and leaves the memory to who may be about to write
	c.pendingMu.Unlock()
	if c.onClose != nil {
		c.onClose()
	}
	return err
}

// flushNow writes what is pending. The caller holds pendingMu, and does not afterwards.
func (c *conn) flushNow() error {
	c.pendingMu.Unlock()
	return c.flush(nil, nil)
}

// flushSoon lets what is pending be written by another goroutine. Until that gets to it, more may
// come, and a hundred small messages take one write. The caller holds pendingMu, and does not afterwards.
func (c *conn) flushSoon() error {
	if len(c.pending) >= flushAt || c.closed.Load() {
		return c.flushNow() // nobody would end a flusher of a closed connection
	}
	defer c.pendingMu.Unlock()
	switch f := c.flusher; {
	case f == nil:
		f = &flusher{wake: make(chan struct{}, 1)}
		c.flusher = f
		go c.flushLoop(f) // rest ends it
	case f.idle:
		f.idle = false
		f.wake <- struct{}{}
	}
	return nil
}

// flushPending writes what was left to the flusher: whoever waits for an answer to it is not to wait
// for that as well. Nor is it to wait for room to write: the other end may not read on before it was
// received from.
func (c *conn) flushPending() {
	if !c.writing.TryLock() {
		return // the flusher is at it
	}
	defer c.writing.Unlock()
	c.pendingMu.Lock()
	defer c.pendingMu.Unlock()
	if c.err != nil || c.closed.Load() {
		c.pending = c.pending[:0]
	}
	if len(c.pending) == 0 {
		return
	}
	n := c.tryWrite(c.pending)
	if n > 0 {
		c.accepted.Store(true)
	}
	c.pending = c.pending[:copy(c.pending, c.pending[n:])] // the flusher, which is awake, writes the rest
}

func (c *conn) flushLoop(f *flusher) {
	for {
		err := c.flush(nil, nil)
		c.pendingMu.Lock()
		f.idle = err != nil || len(c.pending) == 0
		idle := f.idle
		c.pendingMu.Unlock()
		if idle {
			if _, ok := <-f.wake; !ok {
				return
			}
		}
	}
}

// rest ends the flusher and gives memory back, after a call.
func (c *conn) rest() {
	c.pendingMu.Lock()
	defer c.pendingMu.Unlock()
	c.endFlusher()
	if cap(c.pending) > keepIdle && len(c.pending) == 0 {
		c.pending = nil
	}
	if cap(c.scratch) > keepIdle {
		c.scratch = nil
	}
}

// endFlusher is called with pendingMu held.
func (c *conn) endFlusher() {
	if c.flusher != nil {
		close(c.flusher.wake)
		c.flusher = nil
	}
}

// flush writes what is pending, and then data and the frames after it.
func (c *conn) flush(data mem.BufferSlice, after []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.pendingMu.Lock()
	b := c.pending
	c.pending = c.spare[:0]
	c.pendingMu.Unlock()
	c.spare = b
	if cap(b) > keepIdle && len(b) <= keepIdle {
		c.spare = nil // the burst is over
	}
	if c.err != nil {
		return c.err
	}
	var n int64
	switch {
	case data != nil:
		pieces := make(net.Buffers, 1, 2+len(data))
		pieces[0] = b
		for _, d := range data {
			pieces = append(pieces, d.ReadOnlyData())
		}
		if len(after) > 0 {
			pieces = append(pieces, after)
		}
		n, c.err = pieces.WriteTo(c.UnixConn)
	case len(b) > 0:
		var written int
		written, c.err = c.UnixConn.Write(b)
		n = int64(written)
	}
	if n > 0 {
		c.accepted.Store(true)
	}
	return c.err
}

// appendMessage appends a message and the frames after it, or writes them if they are large. The
// caller holds pendingMu.
func (c *conn) appendMessage(p payload, after []byte) error {
	n := p.len()
	c.pending = appendFrameHeader(c.pending, kindMessage, n)
	if n <= copyLimit {
		c.pending = append(p.appendTo(c.pending), after...)
		return nil
	}
	c.pendingMu.Unlock()
	err := c.flush(p.slices, after)
	c.pendingMu.Lock()
	return err
}
