package direct

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// A connection begins on its socket, and moves to rings in shared memory when it is busy; see conn_move.go. From there
// on the frames of a direction are in its ring, and its bytes on the socket are doorbells. Only Fill, Read and write
// know where bytes go.

// rings is the shared memory of a connection, from the server's offer on.
type rings struct {
	*ring.Conn
	conn    *conn
	inMoved atomic.Bool // set by the reading goroutine
	moves   atomic.Bool // this end says that it moves, or has said so
	closed  atomic.Bool

	receiving sync.Mutex // held while receiving a doorbell, so that descriptors are queued as they come

	// reading is held by who reads or waits for that. When a call has ended, one goroutine may still take frames in
	// while another reads the connection to its end.
	reading sync.Mutex

	// Used by the writing goroutine:
	passed bool // the open files that go with the next byte have gone

	watch lazyWatch // of a unary call
}

// setRings is called with the memory that both ends have, before this end uses it.
func (c *conn) setRings(m *ring.Memory, end ring.End) {
	r := &rings{conn: c}
	socket := ring.Socket{Raw: c.raw, LongWait: func() { r.watch.begin(c) }}
	if c.files != nil {
		socket.Receive = r.receive
	}
	r.Conn = ring.NewConn(m, end, socket, c.ringUse.spinners())
	c.ringUse.now.Add(1)
	c.rings.Store(r)
	if c.closed.Load() {
		r.close()
	}
}

func (r *rings) close() {
	if r != nil && !r.closed.Swap(true) {
		r.Close()
		r.conn.ringUse.now.Add(-1)
	}
}

// receive receives a doorbell, and the descriptors that come with it.
func (r *rings) receive(fd int, b []byte) (int, error) {
	r.receiving.Lock()
	defer r.receiving.Unlock()
	return r.conn.readOnce(fd, b)
}

// collect receives the descriptors of n open files, which came before what was read from the ring.
func (c *conn) collect(n int) {
	r := c.ringIn()
	if r == nil || !c.files.receives() {
		return
	}
	r.Hear(func() bool { return c.files.arrived() >= n })
}

// ringIn returns the rings if the other end has moved to them; else nil.
func (c *conn) ringIn() *rings {
	if r := c.rings.Load(); r != nil && r.inMoved.Load() {
		return r
	}
	return nil
}

// fill is Fill from the ring.
func (r *rings) fill() error {
	r.reading.Lock()
	defer r.reading.Unlock()
	rd := &r.conn.rd
	r.conn.waited = false
	for {
		n, err := r.TryRead(rd.Space())
		if n > 0 {
			rd.Filled(n)
			return nil
		}
		rd.FreeBuffer()
		if err == nil {
			r.conn.parked.Store(true)
			var waited bool
			waited, err = r.Await()
			r.conn.parked.Store(false)
			r.conn.waited = r.conn.waited || waited
		}
		if err != nil {
			return ringError(err)
		}
	}
}

// Read reads content of large messages.
func (r *rings) Read(p []byte) (int, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	n, err := r.Conn.Read(p)
	return n, ringError(err)
}

// ringError returns the error as one of this package.
func ringError(err error) error {
	if errors.Is(err, ring.ErrViolation) {
		return wire.Violation(err.Error())
	}
	return err
}

// write is write to the ring. Open files go over the socket, before the frame that announces them is in the ring.
func (r *rings) write(wait bool) (n int, all bool, err error) {
	c := r.conn
	if c.passing != nil && !r.passed {
		if sent, err := c.passFiles(wait); !sent {
			return 0, false, err
		}
		r.passed = true
	}
	// The other end rings for room only if both directions have moved, and only as long as this end receives.
	listens := r.inMoved.Load() && !c.readClosed.Load()
	for {
		n, err = r.Write(c.pieces, wait && listens)
		if n > 0 || err != nil || !wait || listens {
			break
		}
		if time.Sleep(lookAgain); c.otherGone() {
			err = errRingClosed
			break
		}
	}
	if n > 0 {
		r.passed = false
		c.sent.inRing += n
	}
	return n, n == c.toWrite(), ringError(err)
}

// lookAgain is how often a writer looks for room where nobody rings. That is so for a moment at most, while a
// connection moves or ends.
const lookAgain = time.Millisecond / 2

var errRingClosed = os.NewSyscallError("write", syscall.EPIPE)

// expire makes everything that waits, and what is read or written from now on, fail.
func (c *conn) expire() {
	if r := c.rings.Load(); r != nil {
		r.Interrupt(os.ErrDeadlineExceeded)
	}
	c.SetDeadline(time.Unix(0, 0))
}

// resume ends what expire began.
func (c *conn) resume() {
	if r := c.rings.Load(); r != nil {
		r.Interrupt(nil)
	}
	c.SetDeadline(time.Time{})
}

// closeRead ends reading: what has arrived is still read, and the other end cannot write more.
func (c *conn) closeRead() {
	c.readClosed.Store(true)
	if r := c.rings.Load(); r != nil {
		r.Stop()
	}
	c.CloseRead()
}

// sent is where the bytes of a call have gone.
type sent struct {
	onSocket bool // some of them
	inRing   int
}

// unread reports whether it is certain that the other end has not read all that was written to it in the call, and never will.
// The connection has ended with err, and nobody writes. The kernel says so if bytes are left in the queue when a socket is
// closed, also by the death of its process (unix_release_sock in net/unix/af_unix.c). They must be of the call.
func (c *conn) unread(err error) bool {
	if c.outgoing.Load() == outMoved {
		return c.sent.inRing > 0 && c.recall(err) > 0
	}
	return isReset(err) && !c.declined.Load()
}

// untouched is unread for all of the call: none of it was read.
func (c *conn) untouched(err error) bool {
	return c.outgoing.Load() == outMoved && !c.sent.onSocket && c.sent.inRing > 0 && c.recall(err) >= c.sent.inRing
}

// recall takes back what the other end has not read of the ring, and returns how much that is.
func (c *conn) recall(err error) int {
	if v := wire.Violation(""); errors.As(err, &v) {
		return 0
	}
	return c.rings.Load().Recall()
}

// onlyReader is what io.Copy reads from: it has no other method.
type onlyReader struct{ io.Reader }
