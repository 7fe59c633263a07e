package direct

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// newConnPair returns a conn and the other end of its connection.
func newConnPair(t *testing.T) (*conn, *wire) {
	t.Helper()
	a, b := pair(t)
	c, err := newConn(a, nil, &buffers{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, newWire(t, b)
}

// putMessage sends a message with number i, in that way.
func (c *conn) putMessage(i, size int, flush func() error) error {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(i))[:size]
	p := payload{b: b}
	if size > copyLimit {
		p = payload{slices: mem.BufferSlice{mem.SliceBuffer(b)}}
	}
	c.pendingMu.Lock()
	if err := c.appendMessage(p, nil); err != nil {
		c.pendingMu.Unlock()
		return err
	}
	return flush()
}

// Messages arrive in their order, whether they are written at once, later, or in pieces, and
// whoever writes them.
func TestConnKeepsTheOrder(t *testing.T) {
	c, w := newConnPair(t)
	const n = 2000
	sizes := []int{10, 10, 10, 1000, 10, copyLimit, copyLimit + 1, 10, 10, 100 << 10}
	go func() {
		for i := range n {
			flush := c.flushSoon
			if i%7 == 0 {
				flush = c.flushNow
			}
			if i%11 == 0 {
				c.flushPending()
			}
			if err := c.putMessage(i, sizes[i%len(sizes)], flush); err != nil {
				t.Error(err)
			}
		}
		c.flushPending()
	}()
	for i := range n {
		b := w.want(kindMessage)
		if got := int(binary.BigEndian.Uint32(b)); got != i || len(b) != sizes[i%len(sizes)] {
			t.Fatalf("message %d of %d bytes comes when message %d is due", got, len(b), i)
		}
	}
}

// What was left to the flusher is written without anything else happening.
func TestFlusherNeedsNoHelp(t *testing.T) {
	c, w := newConnPair(t)
	for i := range 100 {
		if err := c.putMessage(i, 10, c.flushSoon); err != nil {
			t.Fatal(err)
		}
		w.want(kindMessage)
	}
}

// Who sends faster than the other end reads is held up, and what waits stays bounded.
func TestConnHoldsUpWhoSendsTooMuch(t *testing.T) {
	for name, soon := range map[string]bool{"at once": false, "soon": true} {
		t.Run(name, func(t *testing.T) {
			c, w := newConnPair(t)
			var sent sync.WaitGroup
			flush := c.flushNow
			if soon {
				flush = c.flushSoon
			}
			const n, size = 10000, 1000
			got := allocated(func() {
				sent.Go(func() {
					for i := range n {
						if err := c.putMessage(i, size, flush); err != nil {
							t.Error(err)
							return
						}
						c.pendingMu.Lock()
						pending := len(c.pending)
						c.pendingMu.Unlock()
						if pending > flushAt+size+frameHeaderLen {
							t.Errorf("%d bytes wait", pending)
						}
					}
					c.flushPending()
				})
				fixture.Eventually(t, "the sender to be held up", func() bool {
					if c.writing.TryLock() {
						c.writing.Unlock()
						return false
					}
					return true
				})
				for i := range n {
					if got := int(binary.BigEndian.Uint32(w.want(kindMessage))); got != i {
						t.Fatalf("message %d comes when %d is due", got, i)
					}
				}
				sent.Wait()
			})
			if bound := 4*n*size + 1<<20; got > bound { // the messages are made twice, here and there
				t.Errorf("%d bytes are allocated; %d are allowed", got, bound)
			}
		})
	}
}

// The flusher ends with the call, and a later call has its own.
func TestFlusherEndsWithTheCall(t *testing.T) {
	c, w := newConnPair(t)
	before := runtime.NumGoroutine()
	for i := range 50 {
		if err := c.putMessage(i, 10, c.flushSoon); err != nil {
			t.Fatal(err)
		}
		w.want(kindMessage)
		c.rest()
	}
	if c.flusher != nil {
		t.Error("there is a flusher")
	}
	fixture.Eventually(t, "the flushers to end", func() bool { return runtime.NumGoroutine() <= before })
}

// After a failed write every other one fails, also the flusher's, and nothing piles up.
func TestWritesAfterAnError(t *testing.T) {
	for name, flush := range map[string]func(*conn) func() error{
		"at once": func(c *conn) func() error { return c.flushNow },
		"soon":    func(c *conn) func() error { return c.flushSoon },
	} {
		t.Run(name, func(t *testing.T) {
			c, w := newConnPair(t)
			w.Close()
			var err error
			for i := 0; err == nil; i++ {
				if err = c.putMessage(i, 1000, flush(c)); i > 10*flushAt/1000 {
					t.Fatalf("no error after %d bytes", i*1000)
				}
			}
			for range 100 {
				c.putMessage(0, 1000, flush(c))
			}
			fixture.Eventually(t, "what is pending to be dropped", func() bool {
				c.flushPending() // which leaves it to the flusher if that is at it
				c.pendingMu.Lock()
				defer c.pendingMu.Unlock()
				return len(c.pending) == 0
			})
			if c.putMessage(0, 100<<10, flush(c)) == nil {
				t.Error("a large message is no error")
			}
			if c.accepted.Load() {
				t.Error("the kernel has taken bytes, though nobody is there")
			}
		})
	}
}

// Close wakes who writes and who reads.
func TestCloseOfAConnWakesBoth(t *testing.T) {
	c, _ := newConnPair(t)
	ended := make(chan error, 2)
	go func() {
		for {
			if err := c.putMessage(0, 100<<10, c.flushNow); err != nil {
				ended <- err
				return
			}
		}
	}()
	go func() {
		_, _, err := c.rd.header()
		ended <- err
	}()
	fixture.Eventually(t, "the writer to be held up", func() bool {
		if c.writing.TryLock() {
			c.writing.Unlock()
			return false
		}
		return true
	})
	c.Close()
	for range 2 {
		if err := await(t, "the end", ended); err == nil || err == io.EOF {
			t.Errorf("the error is %v", err)
		}
	}
	c.Close() // again does nothing
}

// A large message arrives whole through a queue that holds a fraction of it, both ways at once.
func TestLargeMessagesThroughASmallQueue(t *testing.T) {
	a, b := pair(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	var both sync.WaitGroup
	for _, uds := range []*net.UnixConn{a, b} {
		c, err := newConn(uds, nil, &buffers{})
		if err != nil {
			t.Fatal(err)
		}
		both.Go(func() {
			c.pendingMu.Lock()
			if err := c.appendMessage(payload{slices: mem.BufferSlice{mem.SliceBuffer(content)}}, endFrame); err != nil {
				t.Error(err)
			}
			if err := c.flushNow(); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			_, n, err := c.rd.header()
			if err != nil {
				t.Error(err)
				return
			}
			p, err := c.rd.message(n)
			if err != nil || !bytes.Equal(p.appendTo(nil), content) {
				t.Errorf("%d bytes come, %v", p.len(), err)
			}
			if k, _, err := c.rd.header(); k != kindEnd {
				t.Errorf("after them comes %q, %v", k, err)
			}
		})
	}
	both.Wait()
}

// A request whose end is late stays what it was, though its connection gives its buffer back
// while it waits, and others use it.
func TestRequestsWhoseEndIsLate(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	slow, quick := h.connect(), h.connect()
	content := strings.Repeat("slow", 1000)
	for range 20 {
		slow.send(concat(callFrame(unaryMethod, nil), messageFrame(content)))
		for range 20 {
			quick.send(unaryCall(strings.Repeat("quick", 1000)))
			quick.want(kindMessage)
			quick.wantStatus()
		}
		slow.send(endFrame)
		if got := slow.want(kindMessage); !bytes.Equal(got, messageFrame(content)[frameHeaderLen:]) {
			t.Fatalf("the request has become %.100q", got)
		}
		slow.wantStatus()
	}
}

// Who receives does not wait for room to write, as the other end may make none before it was received from.
func TestStreamOfSmallMessagesAndLargeAnswersDoesNotStall(t *testing.T) {
	h := newHost(t, answerAll, ServerConfig{})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	stream, err := c.NewStream(ctx, &bothDesc, bothMethod, nil)
	if err != nil {
		t.Fatal(err)
	}
	const messages = 3000
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(sendMany(stream, messages, 500), stream.CloseSend()) }()
	if n, err := receiveAll(stream); n != messages || err != nil {
		t.Errorf("%d messages are received, %v", n, err)
	}
	if err := await(t, "the messages to be sent", sent); err != nil {
		t.Errorf("sending comes to %v", err)
	}
}

// For the race detector: what a connection keeps belongs to who sends, until the end of the call.
func TestServerStopsWhileAHandlerSends(t *testing.T) {
	for range 20 {
		began := make(chan struct{})
		h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
			close(began)
			return sendMany(ss, math.MaxInt, 2000)
		}}, ServerConfig{})
		c, _ := newClient(t, h.accept)
		stream := open(t, c, &bothDesc)
		ended := make(chan error, 1)
		go func() {
			_, err := receiveAll(stream)
			ended <- err
		}()
		await(t, "the handler", began)
		h.Stop()
		if err := await(t, "the end", ended); err == nil {
			t.Error("the stream ends well")
		}
	}
}

// A handler that sends and one that receives do not wait for each other.
func TestTrailerIsSetWhileAnotherSends(t *testing.T) {
	const messages, answers = 100, 20
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		sent := make(chan error, 1)
		go func() { sent <- sendMany(ss, answers, 100<<10) }()
		for {
			switch err := ss.RecvMsg(&blob{}); {
			case err == io.EOF:
				return <-sent
			case err != nil:
				return err
			}
			ss.SetTrailer(metadata.Pairs("k", "v"))
		}
	}}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	stream, err := c.NewStream(ctx, &bothDesc, bothMethod, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Before anything is received.
	if err := errors.Join(sendMany(stream, messages, 10<<10), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if n, err := receiveAll(stream); n != answers || err != nil || len(stream.Trailer().Get("k")) != messages {
		t.Errorf("received %d messages, %v, and %d trailers", n, err, len(stream.Trailer().Get("k")))
	}
}

// What is wrong with a request is told to who receives it, though another waits for the client to receive.
func TestErrorIsReceivedWhileAnotherSends(t *testing.T) {
	began, failed := make(chan *serverConn, 1), make(chan error, 1)
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		sent := make(chan error, 1)
		began <- ss.(*serverStream).conn
		go func() { sent <- sendMany(ss, math.MaxInt, 100<<10) }()
		err := ss.RecvMsg(&blob{})
		failed <- err
		<-sent
		return nil // the first error is the status
	}}, ServerConfig{MaxRecv: 1000})
	c, _ := newClient(t, h.accept)
	stream := open(t, c, &bothDesc)
	await(t, "the handler", began).awaitFull(t)
	if err := stream.SendMsg(&blob{Value: make([]byte, 2000)}); err != nil {
		t.Fatal(err)
	}
	if err := await(t, "the error", failed); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("receiving comes to %v", err)
	}
	if _, err := receiveAll(stream); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the stream ends with %v", err)
	}
}
