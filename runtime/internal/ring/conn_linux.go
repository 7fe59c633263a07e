package ring

import (
	"net"
	"sync/atomic"
	"syscall"
)

// Conn is one end of a connection whose bytes go through shared memory. One goroutine reads at a time and one
// writes; the other methods may be called by any goroutine at any time.
//
// It waits with the socket: for a doorbell, for the socket's end and for its deadlines. Whoever closes or shuts down
// the socket, or sets a deadline that has passed, also calls Close, Shutdown or Interrupt, since a goroutine that
// need not wait does not look at the socket.
type Conn struct {
	memory   *Memory
	in       reader
	out      writer
	socket   Socket
	spinners *Spinners

	data, room  waiter
	follows     bool          // the server's end
	otherSleeps atomic.Bool   // the client slept at the socket when it was rung last; false if this is not the server's end
	bells       chan struct{} // has a value while a goroutine reads from the socket

	interrupt atomic.Pointer[error] // what Read and Write return; nil for nothing
	shut      atomic.Bool           // nothing is written any more

	ringBell func(fd uintptr)
	readBell func(fd uintptr) bool
	bell     [1]byte // used by who has put a value into bells, as are:
	bellN    int
	bellErr  error
	since    uint32

	heard atomic.Uint32 // how many doorbells Hear has taken
}

// NewConn returns an end of a connection. The memory is the Conn's from then on.
func NewConn(m *Memory, end End, s Socket, spinners *Spinners) *Conn {
	c := &Conn{memory: m, socket: s, spinners: spinners, bells: make(chan struct{}, 1), follows: end == Server}
	toServer, toClient := laneAt(m.bytes, 0), laneAt(m.bytes, 1)
	if end == Server {
		c.in.lane, c.out.lane = toServer, toClient
	} else {
		c.in.lane, c.out.lane = toClient, toServer
	}
	if c.socket.Receive == nil {
		c.socket.Receive = syscall.Read
	}
	if c.socket.LongWait == nil {
		c.socket.LongWait = func() {}
	}
	c.data.flag, c.data.rang, c.data.ready = c.in.readerSleeps, c.in.rangReader, c.dataReady
	c.room.flag, c.room.rang, c.room.ready = c.out.writerSleeps, c.out.rangWriter, c.roomReady
	for _, w := range []*waiter{&c.data, &c.room} {
		w.longWait = c.socket.LongWait
		w.orders = make(chan order, 1)
		w.number = spinners.followers.next.Add(1)
	}
	c.ringBell = func(fd uintptr) { syscall.Write(int(fd), []byte{Doorbell}) }
	c.readBell = c.readBellOnce
	return c
}

// Read waits until there is something to read, and copies as much of it to p as there is. The error is [io.EOF]
// after Stop or Shutdown, or at the end of the socket, when everything has been read. [ErrViolation] says that the
// other end is broken.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := c.TryRead(p)
		if n > 0 || err != nil {
			return n, err
		}
		if _, err := c.Await(); err != nil {
			return 0, err
		}
	}
}

// Await waits until Read need not wait. It reports whether it had to. The errors are those of Read.
func (c *Conn) Await() (waited bool, err error) {
	if !c.memory.use() {
		return false, net.ErrClosed
	}
	defer c.memory.leave()
	if c.data.ready() {
		return false, nil
	}
	return true, c.wait(&c.data)
}

// TryRead is Read that does not wait: it returns 0 if there is nothing to read.
func (c *Conn) TryRead(p []byte) (int, error) {
	if !c.memory.use() {
		return 0, net.ErrClosed
	}
	defer c.memory.leave()
	if err := c.interrupt.Load(); err != nil {
		return 0, *err
	}
	n, err := c.in.read(p)
	if n > 0 {
		c.acquire()
		if c.in.known == 0 || ringSize-int(c.in.known) >= wakeWriterFor {
			c.ring(c.in.writerSleeps, c.in.rangWriter)
		}
		return n, nil
	}
	return 0, err
}

// Write copies pieces for the other end, as far as there is room. If wait is set, it waits until there is room for
// some of them. It returns how many bytes the other end has got, also with an error: those are read by it unless it
// ends before, and Unread says how many were not. [ErrStopped] says that the other end reads nothing more.
func (c *Conn) Write(pieces [][]byte, wait bool) (n int, err error) {
	if !c.memory.use() {
		return 0, net.ErrClosed
	}
	defer c.memory.leave()
	offset := 0
	for {
		for len(pieces) > 0 && offset == len(pieces[0]) {
			pieces, offset = pieces[1:], 0
		}
		if len(pieces) == 0 {
			return n, nil
		}
		if err := c.interrupt.Load(); err != nil {
			return n, *err
		}
		if c.shut.Load() {
			return n, syscall.EPIPE
		}
		c.release()
		part, err := c.out.write(pieces, offset)
		if err != nil {
			return n, err
		}
		if part == 0 {
			if !wait || n > 0 {
				return n, nil
			}
			if err := c.wait(&c.room); err != nil {
				return n, err
			}
			continue
		}
		c.ringReader()
		n += part
		for part > 0 {
			of := min(part, len(pieces[0])-offset)
			part -= of
			if offset += of; offset == len(pieces[0]) {
				pieces, offset = pieces[1:], 0
			}
		}
	}
}

// Unread returns how many of the bytes that Write has taken the other end has not copied out. After Close it is 0.
func (c *Conn) Unread() int {
	if !c.memory.use() {
		return 0
	}
	defer c.memory.leave()
	return c.out.unread()
}

// Recall takes back what Write has taken and the other end has not read. It returns how many bytes that is; the other
// end reads none of them any more, whatever it is doing, and Write returns [syscall.EPIPE]. So a client whose server
// has hung up knows for certain whether its call can be made elsewhere. After Close it is 0.
func (c *Conn) Recall() int {
	c.shut.Store(true)
	if !c.memory.use() {
		return 0
	}
	defer c.memory.leave()
	return c.out.recall()
}

// Arrived returns how many bytes the other end says that it has written and that were not read. Any goroutine may
// call it.
func (c *Conn) Arrived() int {
	if !c.memory.use() {
		return 0
	}
	defer c.memory.leave()
	return int(min((c.in.lane.tail.Load()-c.in.lane.head.Load())&positionMask, ringSize))
}

// Empty reports whether there is nothing to read now. The reading goroutine calls it.
func (c *Conn) Empty() bool {
	if !c.memory.use() {
		return true
	}
	defer c.memory.leave()
	return (c.in.lane.tail.Load()^c.in.head)&positionMask == 0
}

// Idle reports whether the connection is as it must be between calls: open, with nothing to read. It takes doorbells
// off the socket that nobody has answered. Nobody may read or write at the same time.
func (c *Conn) Idle() bool {
	if c.interrupt.Load() != nil || c.shut.Load() || c.in.stopping.Load() || !c.Empty() {
		return false
	}
	for {
		var n int
		var err error
		if e := c.socket.Raw.Control(func(fd uintptr) { n, err = c.receive(int(fd)) }); e != nil {
			return false
		}
		switch {
		case err == syscall.EAGAIN:
			return c.Empty()
		case err != nil || n == 0 || c.bell[0] != Doorbell:
			return false
		}
	}
}

// Stop accepts nothing more to read than what is there now: Read returns that and then [io.EOF], and Write of the
// other end returns [ErrStopped]. There is no doubt about any byte: either Write has taken it and Read returns it, or
// neither. A Read that waits is not woken: the caller shuts the socket down, or sets a deadline. Doorbells for a
// writer need the socket's reading side.
func (c *Conn) Stop() {
	if !c.memory.use() {
		return
	}
	defer c.memory.leave()
	c.in.stop()
	c.ring(c.in.writerSleeps, c.in.rangWriter)
}

// Shutdown is Stop, and ends Write with [syscall.EPIPE]. The caller shuts the socket down after it.
func (c *Conn) Shutdown() {
	c.shut.Store(true)
	c.Stop()
}

// Interrupt makes Read and Write return err at once, until it is called with nil. Those that sleep are woken by the
// socket's deadline, which the caller sets.
func (c *Conn) Interrupt(err error) {
	if err == nil {
		c.interrupt.Store(nil)
		return
	}
	c.interrupt.Store(&err)
}

// Close ends Read and Write with [net.ErrClosed], and gives the memory back when they have returned. The caller
// closes the socket after it, which wakes those that sleep.
func (c *Conn) Close() {
	c.Interrupt(net.ErrClosed)
	c.memory.Close()
}

func (c *Conn) dataReady() bool {
	return c.in.lane.tail.Load() != c.in.head || c.interrupt.Load() != nil
}

func (c *Conn) roomReady() bool {
	return c.out.lane.head.Load() != c.out.head || c.out.lane.tail.Load() != c.out.tail.Load() ||
		c.interrupt.Load() != nil || c.shut.Load()
}
