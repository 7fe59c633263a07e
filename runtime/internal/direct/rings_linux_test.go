package direct

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// overRings skips a test of rings where calls do not go over them.
func overRings(t *testing.T) {
	if !RingsAtOnce.Load() {
		t.Skip("over sockets only")
	}
}

// A connection has rings from its first call on here, and both ends count it once.
func TestCallsGoOverRings(t *testing.T) {
	overRings(t)
	h := newHost(t, service{}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	for range 3 {
		mustEcho(t, c, "x")
	}
	if h.RingsMoved() != 1 || c.RingsMoved() != 1 {
		t.Errorf("%d connections have moved at the server, and %d at the client", h.RingsMoved(), c.RingsMoved())
	}
}

// Without the help of tests, rings have to be earned with many calls in a short time.
func TestRingsAreEarned(t *testing.T) {
	h, c := earningClient(t)
	for range earnAfter - 1 {
		mustEcho(t, c, "x")
	}
	if n := h.rings.now.Load(); n != 0 {
		t.Errorf("after %d calls, %d connections have rings", earnAfter-1, n)
	}
	fixture.Eventually(t, "rings", func() bool {
		mustEcho(t, c, "x")
		return c.RingsMoved() == 1
	})
}

// Rings are for clients that ask for them, and that the server has them for.
func TestRingsNeedBothEnds(t *testing.T) {
	overRings(t)
	nobody := func(credentials.AuthInfo) bool { return false }
	for name, tc := range map[string]struct{ server, client Rings }{
		"server without":    {Rings{Failed: func(error) {}}, testRings()},
		"client without":    {testRings(), Rings{}},
		"another user":      {Rings{On: true, For: nobody}, testRings()},
		"nobody was chosen": {Rings{On: true}, testRings()},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, service{}, ServerConfig{Rings: tc.server})
			c := NewClient(ClientConfig{Dial: newSite(t, h.accept).dial, MaxConns: 10, Rings: tc.client})
			t.Cleanup(c.Close)
			for range 3 {
				mustEcho(t, c, "x")
			}
			if h.RingsMoved() != 0 || c.RingsMoved() != 0 {
				t.Error("the connection has rings")
			}
		})
	}
}

// ringServer returns a function that accepts connections as a server with rings does, and then runs script.
func ringServer(t testing.TB, script func(*rawConn)) func(*net.UnixConn) {
	return fakeWith(t, wire.Answer{Version: wire.Version, Rings: true}, script)
}

// sendWith sends bytes together with descriptors.
func (w *rawConn) sendWith(b []byte, fds ...int) {
	w.t.Helper()
	if _, _, err := w.WriteMsgUnix(b, unix.UnixRights(fds...), nil); err != nil {
		w.t.Fatal(err)
	}
}

func ringFrame(r wire.Ring) []byte { return wire.AppendRingFrame(nil, r) }

// offer makes rings and offers them. The test has both ends of the memory.
func (w *rawConn) offer() *ring.Conn {
	w.t.Helper()
	m, fd, err := ring.New()
	if err != nil {
		w.t.Fatal(err)
	}
	w.sendWith(ringFrame(wire.RingOffered), fd)
	unix.Close(fd)
	raw, err := w.SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	c := ring.NewConn(m, ring.Server, ring.Socket{Raw: raw}, ring.NewSpinners())
	w.t.Cleanup(c.Close)
	return c
}

// answerAndMove offers rings, answers a call, and moves to them when the client has.
func (w *rawConn) answerAndMove(content string) *ring.Conn {
	w.t.Helper()
	r := w.offer()
	w.send(messageFrame(content), okFrame)
	w.want(wire.KindRing)
	w.send(ringFrame(wire.RingMoved))
	return r
}

// A call that is in the ring of a server that goes without having read it is made again. One that it has read may
// have been processed.
func TestCallInTheRingOfAServerThatHasGone(t *testing.T) {
	overRings(t)
	for name, tc := range map[string]struct {
		reads func(arrived int) int // how many bytes of the call the server reads
		code  codes.Code
	}{
		"unread":          {func(int) int { return 0 }, codes.OK},
		"read in part":    {func(arrived int) int { return arrived - 1 }, codes.OK}, // without its end
		"read to its end": {func(arrived int) int { return arrived }, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			next := newHost(t, service{}, ServerConfig{})
			var s *site
			begun := make(chan struct{})
			c, s := newClient(t, ringServer(t, func(w *rawConn) {
				if !w.skipCall() {
					return
				}
				r := w.answerAndMove("y")
				fixture.Eventually(t, "the next call", func() bool { return r.Arrived() > 0 })
				reads := tc.reads(r.Arrived()) // all of the call is written at once
				if n, err := io.ReadFull(r, make([]byte, reads)); n != reads {
					t.Errorf("the server reads %d bytes, %v", n, err)
				}
				s.move(next.accept)
				close(begun)
			}))
			if got, err := invoke(t, c, "x"); got != "y" || err != nil {
				t.Fatalf("the first call comes to %q, %v", got, err)
			}
			got, err := invoke(t, c, "z")
			await(t, "the server", begun)
			if status.Code(err) != tc.code || err == nil && got != "z" {
				t.Errorf("the call comes to %q, %v", got, err)
			}
		})
	}
}

// What a client has sent before it ends its call is still there to read, as it is in a socket.
func TestClientThatEndsItsCallTakesNothingBack(t *testing.T) {
	overRings(t)
	moved, ended, read := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	c, _ := newClient(t, ringServer(t, func(w *rawConn) {
		if !w.skipCall() {
			return
		}
		r := w.answerAndMove("y")
		close(moved)
		<-ended
		_, err := io.ReadFull(r, make([]byte, max(1, r.Arrived())))
		read <- err
	}))
	mustEcho(t, c, "y")
	await(t, "the server to move", moved)
	stream := open(t, c, &bothDesc)
	received := make(chan error)
	go func() { received <- stream.RecvMsg(&blob{}) }()
	fixture.Eventually(t, "the client to wait", stream.(*clientStream).conn.parked.Load)
	if err := errors.Join(stream.SendMsg(&blob{}), stream.CloseSend()); err != nil {
		t.Error(err)
	}
	if err := stream.SendMsg(&blob{}); status.Code(err) != codes.Internal {
		t.Errorf("a message after the end comes to %v", err)
	}
	if err := await(t, "the client", received); status.Code(err) != codes.Internal {
		t.Errorf("the call comes to %v", err)
	}
	close(ended)
	if err := await(t, "the server", read); err != nil {
		t.Errorf("the server cannot read what was sent: %v", err)
	}
}

// ringsMapped counts the memory of rings in this process.
func ringsMapped(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(maps, []byte("udsgrpc-ring"))
}

// Memory and descriptors are given back with the connections.
func TestRingsAreGivenBack(t *testing.T) {
	overRings(t)
	before := ringsMapped(t)
	h := newHost(t, service{}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	mustEcho(t, c, "x")
	if n := ringsMapped(t); n == before {
		t.Error("no memory is mapped")
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, _ := os.Readlink("/proc/self/fd/" + e.Name()); bytes.Contains([]byte(name), []byte("udsgrpc-ring")) {
			t.Errorf("descriptor %s is still of %s", e.Name(), name)
		}
	}
	c.Close()
	fixture.Eventually(t, "the memory to be given back", func() bool { return ringsMapped(t) == before && h.rings.now.Load() == 0 && c.rings.now.Load() == 0 })
}

// A connection that is hardly used does not keep its rings.
func TestPoolGivesUpRingsThatAreHardlyUsed(t *testing.T) {
	overRings(t)
	h := newHost(t, service{}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	for range earnsRings {
		mustEcho(t, c, "x")
	}
	c.pool.sweepIdle()
	if all, _ := c.pool.size(); all != 1 {
		t.Fatalf("after many calls there are %d connections", all)
	}
	mustEcho(t, c, "x")
	c.pool.sweepIdle()
	if all, _ := c.pool.size(); all != 0 {
		t.Errorf("after one call there are %d connections", all)
	}
	mustEcho(t, c, "x")
}

// A stream moves in the middle, whoever sends, and loses nothing.
func TestStreamsMoveInTheMiddle(t *testing.T) {
	overRings(t)
	var next atomic.Int64
	for ahead := range 50 {
		h := newHost(t, service{}, ServerConfig{})
		c, _ := newClient(t, h.accept)
		stream := open(t, c, &bothDesc)
		const messages = 100
		underWay := make(chan struct{}, ahead+1) // one at a time, or more
		go func() {
			for i := range messages {
				underWay <- struct{}{}
				if err := stream.SendMsg(&blob{Value: fmt.Append(nil, i)}); err != nil {
					return // receiving says why
				}
			}
			stream.CloseSend()
		}()
		for i := range messages {
			m := &blob{}
			if err := stream.RecvMsg(m); err != nil || string(m.Value) != fmt.Sprint(i) {
				t.Fatalf("message %d is %q, %v", i, m.Value, err)
			}
			<-underWay
		}
		if err := stream.RecvMsg(&blob{}); err != io.EOF {
			t.Errorf("the stream ends with %v", err)
		}
		next.Add(c.RingsMoved())
	}
	if next.Load() == 0 {
		t.Error("no stream has moved")
	}
}
