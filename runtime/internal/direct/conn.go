package direct

import (
	"net"
	"sync/atomic"
	"syscall"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

const (
	// copyLimit is the size up to which a message is copied behind its frame's header. That is cheaper
	// than giving the kernel another piece of memory.
	copyLimit = 16 << 10

	// keepIdle is how large a buffer a connection keeps between calls.
	keepIdle = 1 << 10
)

// conn is one end of a connection. One goroutine reads from it at a time, and one writes.
type conn struct {
	*net.UnixConn
	raw  syscall.RawConn
	peer peer.Peer

	files *incoming // open files that arrive; nil if none can

	rd      wire.Reader           // used by the reading goroutine
	tryFill func(fd uintptr) bool // fillOnce, made once
	readN   int                   // what the last read(2) returned
	readErr error
	waited  bool        // there was nothing to read at first
	parked  atomic.Bool // the last attempt to read found nothing

	// Rings, see conn_ring.go:
	ringUse    *ringUse              // nil if there cannot be rings on this connection
	mayMove    atomic.Bool           // this end may still move to rings, or has
	rings      atomic.Pointer[rings] // nil until the server has offered them
	outgoing   outgoing              // where this end writes
	offers     bool                  // this is a server's end that has not offered them; used by the writing goroutine
	oneWay     bool                  // the call is better made without rings
	readClosed atomic.Bool           // closeRead was called
	earns      earning               // of a server
	sent       sent                  // in the call; used by the writing goroutine
	declined   atomic.Bool           // in the call, by a ring frame that the server may not have read

	// Used by the writing goroutine:
	pieces   [][]byte // what to write
	passing  []byte   // the control message with descriptors that goes with the first byte; nil for none
	wait     bool     // until the kernel has accepted some of it
	tryWrite func(fd uintptr) bool
	wrote    int
	writeErr error

	// Used by the call that has the connection:
	scratch []byte // for a small message
	out     []byte // for frames

	onClose func() // nil for nothing
	closed  atomic.Bool

	// Of a client's connection:
	generation   int64                  // see Client.generation
	used         int                    // how often since the pool's last sweep; guarded by the pool's mutex
	takesFiles   bool                   // the server does
	firstSent    int                    // bytes of the first call, which went with the preface; 0 from when that call knows
	abort        atomic.Pointer[func()] // ends the stream that has the connection; nil if there is none
	shutDownFunc func()                 // shutDown, made once
}

func newConn(c *net.UnixConn, info credentials.AuthInfo, pool *wire.Buffers) (*conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	n := &conn{UnixConn: c, raw: raw, peer: peer.Peer{Addr: c.RemoteAddr(), LocalAddr: c.LocalAddr(), AuthInfo: info}}
	n.rd.Init(n, pool)
	n.tryFill, n.tryWrite = n.fillOnce, n.writeOnce
	return n, nil
}

// Close closes the connection. Later calls do nothing.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.rings.Load().close()
	err := c.UnixConn.Close()
	c.files.close()
	if c.onClose != nil {
		c.onClose()
	}
	return err
}

// next reads the header of the next frame. The open files of a message are kept until files.take: the frame
// before it, which announces them, is not returned. Nor are the frames that are about rings.
func (c *conn) next() (wire.Kind, int, error) {
	for {
		k, n, err := c.rd.Next()
		if err == nil && c.files != nil {
			k, n, err = c.files.next(c, k, n)
		}
		if err != nil || k != wire.KindRing || c.ringUse == nil {
			return k, n, err
		}
		if err := c.receiveRing(n); err != nil {
			return 0, 0, err
		}
	}
}

// Read reads content of large messages.
func (c *conn) Read(p []byte) (int, error) {
	if r := c.ringIn(); r != nil {
		return r.Read(p)
	}
	if c.files.receives() {
		return c.files.read(c.raw, p)
	}
	return c.UnixConn.Read(p)
}

// write writes pieces: as much as the kernel accepts at once, which may be nothing, or at least something
// if wait is set. It reports how much that was, and whether it was all. Whole means that a frame ends with the
// last piece.
func (c *conn) write(wait, whole bool) (n int, all bool, err error) {
	if c.mayMove.Load() {
		return c.writeOrMove(wait, whole)
	}
	return c.writeSocket(wait)
}

func (c *conn) writeSocket(wait bool) (n int, all bool, err error) {
	c.wait = wait
	err = c.raw.Write(c.tryWrite)
	c.passing = nil
	if err != nil {
		return 0, false, err
	}
	return c.wrote, c.wrote == c.toWrite(), c.writeErr
}

// toWrite returns how many bytes pieces have.
func (c *conn) toWrite() (n int) {
	for _, p := range c.pieces {
		n += len(p)
	}
	return n
}

// writeAll writes b, then data and the frames after it. It returns how much the kernel has accepted.
func (c *conn) writeAll(b []byte, data wire.Payload, after []byte) (taken int, err error) {
	c.pieces = append(c.pieces[:0], b)
	for _, d := range data.Slices {
		c.pieces = append(c.pieces, d.ReadOnlyData())
	}
	if len(after) > 0 {
		c.pieces = append(c.pieces, after)
	}
	pieces := c.pieces
	defer func() { clear(pieces) }()
	for {
		n, all, err := c.write(true, true)
		taken += n
		if all || err != nil {
			return taken, err
		}
		for n > 0 {
			part := min(n, len(c.pieces[0]))
			c.pieces[0] = c.pieces[0][part:]
			n -= part
			if len(c.pieces[0]) == 0 {
				c.pieces = c.pieces[1:]
			}
		}
	}
}

// trim releases memory after a call, and closes the open files that nobody has taken.
func (c *conn) trim() {
	c.files.endCall()
	if c.isClient() {
		c.sent = sent{}
		c.declined.Store(false)
	}
	if cap(c.out) > keepIdle {
		c.out = nil
	}
	if cap(c.scratch) > keepIdle {
		c.scratch = nil
	}
}
