package direct

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/mem"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// sender is an outbox with its mutex, for a stream that does nothing with it.
type sender struct {
	outbox
	monitor  monitor
	accepted atomic.Bool // the kernel has accepted bytes
	blocked  atomic.Bool // the flusher waits, since the kernel accepts no more
}

func (s *sender) taken()        { s.accepted.Store(true) }
func (s *sender) beforeWait()   {}
func (s *sender) written()      {}
func (s *sender) refused(error) {}

func newSender(t *testing.T, limit int64) (*sender, *rawConn) {
	t.Helper()
	c, w := newConnPair(t)
	s := &sender{}
	try := c.tryWrite
	c.tryWrite = func(fd uintptr) bool {
		done := try(fd)
		s.blocked.Store(!done)
		return done
	}
	s.init(&s.monitor, s, c, newBudget(limit), &wire.Buffers{})
	return s, w
}

// fill sends messages until at least the given bytes are queued that the kernel does not accept, and
// returns how many it has sent.
func (s *sender) fill(t *testing.T, bytes, size int) (sent int) {
	t.Helper()
	for {
		for ; s.size() < bytes; sent++ {
			if err := s.put(sent, size, false); err != nil {
				t.Fatal(err)
			}
		}
		// Until then the kernel may still take some of what is queued.
		fixture.Eventually(t, "the flusher to wait", s.blocked.Load)
		if s.size() >= bytes {
			return sent
		}
	}
}

// put sends a message with number i.
func (s *sender) put(i, size int, later bool) error {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(i))[:size]
	p := wire.Payload{Bytes: b}
	if size > copyLimit {
		p = wire.Payload{Slices: mem.BufferSlice{mem.SliceBuffer(b)}}
	}
	s.monitor.Lock()
	defer s.monitor.Unlock()
	if err := s.admit(); err != nil {
		return err
	}
	s.appendMessage(p, nil, 0)
	s.send(later)
	return s.err
}

// waiting waits until a put waits.
func (s *sender) awaitWait(t *testing.T) {
	t.Helper()
	fixture.Eventually(t, "the sender to wait", func() bool { return s.waiting.Load() > 0 })
}

func (s *sender) size() int {
	s.monitor.Lock()
	defer s.monitor.Unlock()
	return s.queued
}

// Messages arrive in order, whether they are written at once, later or in pieces, and whichever goroutine
// writes them.
func TestOutboxKeepsTheOrder(t *testing.T) {
	s, w := newSender(t, 0)
	const n = 2000
	sizes := []int{10, 10, 10, 1000, 10, copyLimit, copyLimit + 1, 10, 10, 100 << 10}
	go func() {
		for i := range n {
			if i%11 == 0 {
				s.monitor.Lock()
				s.write(false)
				s.monitor.Unlock()
			}
			if err := s.put(i, sizes[i%len(sizes)], i%7 != 0); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range n {
		b := w.want(wire.KindMessage)
		if got := int(binary.BigEndian.Uint32(b)); got != i || len(b) != sizes[i%len(sizes)] {
			t.Fatalf("message %d of %d bytes comes when message %d is due", got, len(b), i)
		}
	}
}

// slivers returns a message of n pieces of memory, as a codec of the program can make it.
func slivers(n int) (p wire.Payload) {
	for i := range n {
		p.Slices = append(p.Slices, mem.SliceBuffer(bytes.Repeat([]byte{byte(i)}, 10)))
	}
	return p
}

// A message may be of more pieces than the kernel takes at once.
func TestMessageOfManyPieces(t *testing.T) {
	const n = 5000
	want := slivers(n).Slices.Materialize()
	t.Run("in a stream", func(t *testing.T) {
		s, w := newSender(t, 0)
		s.monitor.Lock()
		s.appendMessage(slivers(n), nil, 0)
		s.send(false)
		s.monitor.Unlock()
		if got := w.want(wire.KindMessage); !bytes.Equal(got, want) {
			t.Errorf("%d bytes come, %d were sent", len(got), len(want))
		}
	})
	t.Run("in a unary call", func(t *testing.T) {
		c, w := newConnPair(t)
		written := make(chan error, 1)
		go func() {
			_, err := c.writeAll(wire.AppendFrameHeader(nil, wire.KindMessage, len(want)), slivers(n), endFrame)
			written <- err
		}()
		if got := w.want(wire.KindMessage); !bytes.Equal(got, want) {
			t.Errorf("%d bytes come, %d were sent", len(got), len(want))
		}
		w.want(wire.KindEnd)
		if err := await(t, "the message to be written", written); err != nil {
			t.Error(err)
		}
	})
}

// What was left to the flusher is written even if nothing else happens.
func TestFlusherNeedsNoHelp(t *testing.T) {
	s, w := newSender(t, 0)
	for i := range 100 {
		if err := s.put(i, 10, true); err != nil {
			t.Fatal(err)
		}
		w.want(wire.KindMessage)
	}
}

// Whatever the size of the messages, sending waits for the other end to read only when a whole window is
// unread.
func TestSendingWaitsForAWindowOfUnreadBytes(t *testing.T) {
	for name, size := range map[string]int{"small": 80, "medium": 10 << 10, "large": 300 << 10, "one": 2 * window} {
		t.Run(name, func(t *testing.T) {
			s, w := newSender(t, 0)
			sent := s.fill(t, window, size)
			if bytes := sent * (size + wire.FrameHeaderLen); bytes < window {
				t.Fatalf("%d bytes fill the window", bytes)
			}
			more := make(chan error, 1)
			go func() { more <- s.put(sent, size, true) }()
			s.awaitWait(t)
			for i := range sent + 1 {
				if got := int(binary.BigEndian.Uint32(w.want(wire.KindMessage))); got != i {
					t.Fatalf("message %d comes when %d is due", got, i)
				}
			}
			if err := await(t, "the last message", more); err != nil {
				t.Error(err)
			}
		})
	}
}

// Small messages that wait take little more memory than their bytes, and it is given back.
func TestMemoryOfMessagesThatWait(t *testing.T) {
	s, w := newSender(t, 0)
	const size = 80
	n := window / (size + wire.FrameHeaderLen)
	got := fixture.Allocated(func() {
		for i := range n {
			if err := s.put(i, size, true); err != nil {
				t.Fatal(err)
			}
		}
	})
	if bound := 3 * window; got > bound { // a message is made here, and copied
		t.Errorf("%d bytes are allocated; %d are allowed", got, bound)
	}
	for range n {
		w.want(wire.KindMessage)
	}
	fixture.Eventually(t, "the memory to be given back", func() bool {
		s.monitor.Lock()
		defer s.monitor.Unlock()
		return len(s.pieces) <= 1 && s.budget.used.Load() == 0
	})
}

// A full budget delays each stream that has something queued, until another stream has been read.
func TestBudgetHoldsUpAllStreams(t *testing.T) {
	a, aw := newSender(t, 1<<20)
	b, bw := newSender(t, 0)
	b.budget = a.budget
	sent := a.fill(t, 1<<20, 100<<10)
	// A stream with nothing queued is not delayed: its queue in the kernel may be empty.
	if err := b.put(0, 1<<20, false); err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	go func() { held <- b.put(1, 10, false) }()
	b.awaitWait(t)
	if b.budget.waited.Load() != 1 {
		t.Errorf("%d sends count as held up by the budget", b.budget.waited.Load())
	}
	for range sent {
		aw.want(wire.KindMessage)
	}
	if err := await(t, "the message that was held up", held); err != nil {
		t.Error(err)
	}
	bw.want(wire.KindMessage)
	bw.want(wire.KindMessage)
	fixture.Eventually(t, "the budget to be given back", func() bool { return a.budget.used.Load() == 0 })
}

// What a call leaves in its queue no longer counts.
func TestClosedOutboxGivesItsBudgetBack(t *testing.T) {
	s, _ := newSender(t, 0)
	s.fill(t, window, 100<<10)
	waiting := make(chan error, 1)
	go func() { waiting <- s.put(0, 10, false) }()
	s.awaitWait(t)
	s.monitor.Lock()
	s.outbox.close()
	s.monitor.Unlock()
	if err := await(t, "who waits", waiting); err != errOutboxClosed {
		t.Errorf("who waits gets %v", err)
	}
	s.conn.Close() // the flusher writes
	fixture.Eventually(t, "the budget to be given back", func() bool { return s.budget.used.Load() == 0 })
}

// The flusher ends when there is nothing to write.
func TestFlusherEnds(t *testing.T) {
	s, w := newSender(t, 0)
	before := runtime.NumGoroutine()
	for i := range 50 {
		if err := s.put(i, 10, true); err != nil {
			t.Fatal(err)
		}
		w.want(wire.KindMessage)
	}
	fixture.Eventually(t, "the flushers to end", func() bool { return runtime.NumGoroutine() <= before })
}

// After a failed write every later one fails, also the flusher's, and nothing piles up.
func TestWritesAfterAnError(t *testing.T) {
	for name, later := range map[string]bool{"at once": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			s, w := newSender(t, 0)
			w.Close()
			if later {
				fixture.Eventually(t, "the flusher to fail", func() bool { return s.put(0, 1000, later) != nil })
			} else if s.put(0, 1000, later) == nil {
				t.Fatal("who writes itself gets no error")
			}
			for range 100 {
				if s.put(0, 1000, later) == nil || s.put(0, 100<<10, later) == nil {
					t.Fatal("a message is no error")
				}
			}
			if s.accepted.Load() {
				t.Error("the kernel has taken bytes, though nobody is there")
			}
		})
	}
}

// Close wakes the writing goroutine, a Send that waits, and the reading goroutine.
func TestCloseOfAConnWakesAll(t *testing.T) {
	s, _ := newSender(t, 0)
	ended := make(chan error, 2)
	go func() {
		for {
			if err := s.put(0, 100<<10, false); err != nil {
				ended <- err
				return
			}
		}
	}()
	go func() {
		_, _, err := s.conn.rd.Next()
		ended <- err
	}()
	s.awaitWait(t)
	s.conn.Close()
	for range 2 {
		if err := await(t, "the end", ended); err == nil || err == io.EOF {
			t.Errorf("the error is %v", err)
		}
	}
	s.conn.Close() // a second Close does nothing
}

// A large message arrives whole through a queue that holds only a fraction of it, in both directions at
// once.
func TestLargeMessagesThroughASmallQueue(t *testing.T) {
	a, b := pair(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	var both sync.WaitGroup
	for _, uds := range []*net.UnixConn{a, b} {
		c, err := newConn(uds, nil, &wire.Buffers{})
		if err != nil {
			t.Fatal(err)
		}
		both.Go(func() {
			header := wire.AppendFrameHeader(nil, wire.KindMessage, len(content))
			taken, err := c.writeAll(header, wire.Payload{Slices: mem.BufferSlice{mem.SliceBuffer(content)}}, endFrame)
			if want := len(header) + len(content) + len(endFrame); taken != want || err != nil {
				t.Errorf("%d bytes are taken, %v; want %d", taken, err, want)
			}
		})
		both.Go(func() {
			_, n, err := c.rd.Next()
			if err != nil {
				t.Error(err)
				return
			}
			p, err := c.rd.Message(n)
			if err != nil || !bytes.Equal(p.AppendTo(nil), content) {
				t.Errorf("%d bytes come, %v", p.Len(), err)
			}
			if k, _, err := c.rd.Next(); k != wire.KindEnd {
				t.Errorf("after them comes %q, %v", k, err)
			}
		})
	}
	both.Wait()
}
