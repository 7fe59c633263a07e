package direct

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// How a connection moves from its socket to rings: the server offers them when there is much traffic; see [earning].
// Then each direction moves, between two frames: first the client's, then the server's.

// outgoing says where a connection writes, and who may decide that. It is a number of the bits below.
type outgoing struct{ atomic.Uint32 }

const (
	outBusy    = 1 << iota // a goroutine writes to the socket
	outPartial             // the last frame on the socket is not complete
	outWanted              // a ring frame is to be answered, as soon as neither is the case
	outMoved               // this end writes to the ring, for good; no other bit is set
)

// begin makes the caller the one that writes to the socket, unless this end has moved.
func (o *outgoing) begin() (before uint32, moved bool) {
	for {
		s := o.Load()
		if s == outMoved {
			return s, true
		}
		if s&outBusy != 0 {
			runtime.Gosched() // the reading goroutine answers a ring frame, which takes a moment
			continue
		}
		if o.CompareAndSwap(s, s|outBusy) {
			return s, false
		}
	}
}

// end is called when the goroutine that writes to the socket has done so. It reports whether that goroutine must
// answer a ring frame, and then call end again with answered set.
func (o *outgoing) end(partial, answered bool) (answer bool) {
	for {
		s := o.Load()
		if s&outWanted != 0 && !partial && !answered {
			return true
		}
		next := s &^ (outBusy | outPartial)
		if partial {
			next |= outPartial
		}
		if o.CompareAndSwap(s, next) {
			return false
		}
	}
}

// want is called by the reading goroutine, which wants a ring frame to be answered. It reports whether the caller
// is to do it; otherwise the goroutine that writes does.
func (o *outgoing) want() (caller bool) {
	for {
		s := o.Load()
		if s&(outBusy|outPartial) != 0 {
			if o.CompareAndSwap(s, s|outWanted) {
				return false
			}
		} else if o.CompareAndSwap(s, outBusy|outWanted) {
			return true
		}
	}
}

// writeOrMove is write for a connection that can have rings.
func (c *conn) writeOrMove(wait, whole bool) (n int, all bool, err error) {
	before, moved := c.outgoing.begin()
	if !moved && before&outPartial == 0 {
		if before&outWanted != 0 {
			moved, err = c.answerRing(wait)
		} else if c.offers && !c.oneWay && c.earns.enough(c.ringUse.after, c.toWrite()) {
			c.offerRings()
		}
	}
	switch {
	case moved:
		n, all, err = c.rings.Load().write(wait)
		c.passing = nil
		return n, all, err
	case err != nil:
		c.outgoing.end(false, true)
		c.passing = nil
		if err == syscall.EAGAIN {
			err = nil
		}
		return 0, false, err
	}
	n, all, err = c.writeSocket(wait)
	if n > 0 {
		c.sent.onSocket = true
	}
	c.endWrite(err != nil || !all || !whole)
	return n, all, err
}

// endWrite gives up the right to write to the socket, and answers a ring frame that has come in the meantime.
func (c *conn) endWrite(partial bool) {
	for answered := false; c.outgoing.end(partial, answered); answered = true {
		if moved, _ := c.answerRing(false); moved {
			return
		}
	}
}

// answerRing answers a ring frame, and so moves this end, unless it declines. The caller has the right to write to
// the socket, and has it no more when this end has moved. The error is EAGAIN if there is no room and wait is not
// set; the answer is then left to the next write.
func (c *conn) answerRing(wait bool) (moved bool, err error) {
	answer := wire.RingMoved
	if c.rings.Load() == nil {
		answer = wire.RingDeclined
	}
	if r := c.rings.Load(); r != nil {
		r.moves.Store(true) // the other end's answer may come before this goroutine goes on
	}
	c.declined.Store(answer == wire.RingDeclined)
	if err := c.sendRingFrame(answer, nil, wait); err != nil {
		return false, err
	}
	if answer == wire.RingDeclined {
		c.mayMove.Store(false)
		c.outgoing.Store(outBusy)
		return false, nil
	}
	c.outgoing.Store(outMoved)
	return true, nil
}

// earning counts what a server writes on a connection, and decides when that is enough for rings.
type earning struct {
	since  int64 // when the count began, in Unix nanoseconds
	writes int
}

const (
	// ringRoom is how much each direction holds.
	ringRoom = ring.Size / 2

	// earnAfter writes within earnWithin earn rings. A client that makes so many calls saves more time with
	// them than it takes to make them.
	earnAfter  = 16
	earnWithin = 100 * time.Millisecond

	// earnSize is how large a write may be that earns rings: one that leaves room for the next. They save what it costs
	// to wake a process, which is little beside copying a larger one.
	earnSize = 32 << 10

	// maxRings is how many connections of a server have rings at once. More of them do not help: only as many ends as
	// there are cores can wait for them without sleeping, and each has memory of its own.
	maxRings = 64
)

// enough counts a write of size bytes, and reports whether there were enough of them.
func (e *earning) enough(after, size int) bool {
	if size > earnSize && after > 1 {
		e.writes = 0
		return false
	}
	if e.writes++; e.writes < after {
		return false
	}
	now := time.Now().UnixNano()
	within := now - e.since
	e.writes, e.since = 0, now
	return within < int64(earnWithin) || after == 1
}

// offerRings makes rings and offers them to the client, once. The caller has the right to write to the socket,
// between two frames.
func (c *conn) offerRings() {
	if c.ringUse.enough() {
		return // others may give theirs back
	}
	c.offers = false
	if !c.ringUse.worthwhile() {
		c.mayMove.Store(false)
		return
	}
	memory, fd, err := ring.New()
	if err != nil {
		c.ringUse.fail(err)
		return
	}
	defer closeDescriptors([]int{fd})
	c.setRings(memory, ring.Server)
	err = c.sendRingFrame(wire.RingOffered, rights([]int{fd}), false)
	if err != nil {
		c.rings.Swap(nil).close()
	}
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
	case err == syscall.EAGAIN:
		c.offers = true
	default:
		c.ringUse.fail(err)
	}
}

// receiveRing receives a ring frame, whose header was read.
func (c *conn) receiveRing(n int) error {
	b, err := c.rd.Control(n)
	if err != nil {
		return wire.UnexpectedEOF(err)
	}
	frame, err := wire.ParseRing(b)
	if err != nil {
		return err
	}
	r := c.rings.Load()
	switch {
	case frame == wire.RingOffered && c.awaitsRings():
		if err := c.takeRings(); err != nil {
			return err
		}
		if c.outgoing.want() {
			c.endWrite(false)
		}
	case frame == wire.RingMoved && r != nil && !r.inMoved.Load() && c.isClient() && r.moves.Load():
		return c.moveIn(r)
	case frame == wire.RingMoved && r != nil && !r.inMoved.Load() && !c.isClient():
		if err := c.moveIn(r); err != nil {
			return err
		}
		if c.outgoing.want() {
			c.endWrite(false)
		}
		if c.ringUse.Moved != nil {
			c.ringUse.Moved(c.peer.AuthInfo)
		}
	case frame == wire.RingDeclined && r != nil && !r.inMoved.Load() && !c.isClient():
		c.rings.Store(nil)
		c.mayMove.Store(false)
		r.close()
	default:
		return wire.Violationf("a ring frame that says %d", frame)
	}
	return nil
}

// moveIn makes the ring what is read from now on. What was read from the socket after the frame that says so are
// doorbells.
func (c *conn) moveIn(r *rings) error {
	for _, b := range c.rd.Discard() {
		if b != ring.Doorbell {
			return wire.Violationf("a byte %q instead of a doorbell", b)
		}
	}
	r.inMoved.Store(true)
	c.ringUse.moved.Add(1)
	return nil
}

// awaitsRings reports whether the server may offer rings now.
func (c *conn) awaitsRings() bool { return c.isClient() && c.files.awaitsRing }

// isClient reports whether this is a client's end.
func (c *conn) isClient() bool { return c.shutDownFunc != nil }

// takeRings takes the rings that the server has offered. If they cannot be had, the connection goes on without.
func (c *conn) takeRings() error {
	fd, err := c.files.takeRing()
	if v := wire.Violation(""); errors.As(err, &v) {
		return err
	}
	var memory *ring.Memory
	switch {
	case err != nil:
	case !c.ringUse.worthwhile() || c.ringUse.enough():
		closeDescriptors([]int{fd})
		return nil
	default:
		memory, err = ring.Open(fd)
	}
	if err != nil {
		c.ringUse.fail(err)
		return nil
	}
	c.setRings(memory, ring.Client)
	return nil
}

// settled receives a ring frame that has come after an answer, and reports whether there is nothing else.
func (c *conn) settled() bool {
	for c.ringUse != nil && c.rd.HasFrame(wire.KindRing) {
		if _, n, err := c.rd.Next(); err != nil || c.receiveRing(n) != nil {
			return false
		}
	}
	return c.rd.Empty()
}
