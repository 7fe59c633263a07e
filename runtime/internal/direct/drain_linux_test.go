package direct

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// statsFuncs is a stats handler made of functions; nil does nothing.
type statsFuncs struct {
	conn func(stats.ConnStats)
	rpc  func(context.Context, stats.RPCStats)
}

func (s statsFuncs) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (s statsFuncs) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (s statsFuncs) HandleRPC(ctx context.Context, e stats.RPCStats) {
	if s.rpc != nil {
		s.rpc(ctx, e)
	}
}

func (s statsFuncs) HandleConn(_ context.Context, e stats.ConnStats) {
	if s.conn != nil {
		s.conn(e)
	}
}

// sleeper is a server that has served a call of its only client and does not read further before release.
// So what the client sends next stays in the kernel's queue.
type sleeper struct {
	*host
	release chan struct{}
	drained chan struct{}
}

func newSleeper(t *testing.T, s service) *sleeper {
	release := make(chan struct{})
	h := newHost(t, s, ServerConfig{Stats: handlers{statsFuncs{rpc: func(_ context.Context, e stats.RPCStats) {
		if _, ok := e.(*stats.End); ok {
			<-release
		}
	}}}})
	return &sleeper{h, release, make(chan struct{})}
}

// newSleepersClient returns a client that has made its first call to the sleeper.
func newSleepersClient(t *testing.T, old *sleeper) (*Client, *site) {
	t.Helper()
	c, s := newClient(t, old.accept)
	mustEcho(t, c, "first")
	return c, s
}

// only returns the connection.
func (s *sleeper) only() *serverConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sc := range s.conns {
		return sc
	}
	return nil
}

// queued waits until that many bytes are in the queue of the only connection, or as many as its ring holds.
func (s *sleeper) queued(n int) {
	s.t.Helper()
	fixture.Eventually(s.t, "the connection", func() bool { return s.only() != nil })
	sc := s.only()
	if sc.rings.Load() != nil {
		n = min(n, 64<<10)
	}
	fixture.Eventually(s.t, "bytes in the queue", func() bool {
		have := 0
		if r := sc.rings.Load(); r != nil {
			have = r.Arrived()
		} else {
			sc.raw.Control(func(fd uintptr) { have, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
		}
		return have >= n
	})
}

// drain begins a drain, and lets the server continue once it accepts no more calls.
func (s *sleeper) drain() {
	go func() {
		defer close(s.drained)
		s.Drain()
	}()
	fixture.Eventually(s.t, "the beginning of the drain", func() bool {
		sc := s.only()
		sc.mu.Lock()
		defer sc.mu.Unlock()
		return sc.draining
	})
	close(s.release)
}

// A unary call that was in the queue of a draining server is served there if it was complete, and sent
// again to the next server if not. Either way it is served once.
func TestUnaryCallsInTheQueueOfAServerThatDrains(t *testing.T) {
	for name, tc := range map[string]struct {
		size  int
		queue int
		old   bool // which server serves it
	}{
		"whole":              {100, len(unaryCall("")) + 100, true},
		"whole, large":       {50 << 10, len(unaryCall("")) + 50<<10 + 4, true}, // longer lengths
		"partly, 1 MiB":      {1 << 20, 64 << 10, false},
		"partly, almost all": {300 << 10, 64 << 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			var atOld, atNext atomic.Int32
			count := func(n *atomic.Int32) service {
				return service{unary: func(_ context.Context, m *blob) (*blob, error) { n.Add(1); return m, nil }}
			}
			old, next := newSleeper(t, count(&atOld)), newHost(t, count(&atNext), ServerConfig{})
			c, s := newSleepersClient(t, old)
			atOld.Store(0)
			type result struct {
				got string
				err error
			}
			done := make(chan result, 1)
			content := strings.Repeat("01234567", tc.size/8) + "0123"[:tc.size%8]
			go func() {
				reply := &blob{}
				err := c.Invoke(t.Context(), unaryMethod, &blob{Value: []byte(content)}, reply, nil)
				got := string(reply.Value)
				done <- result{got, err}
			}()
			old.queued(tc.queue)
			s.move(next.accept)
			old.drain()
			if r := await(t, "the call", done); r.err != nil || r.got != content {
				t.Errorf("the call comes to %d bytes, %v", len(r.got), r.err)
			}
			await(t, "the drain", old.drained)
			want := [2]int32{0, 1}
			if tc.old {
				want = [2]int32{1, 0}
			}
			if got := [2]int32{atOld.Load(), atNext.Load()}; got != want {
				t.Errorf("the servers have served %v calls, want %v", got, want)
			}
		})
	}
}

// A call whose metadata is in the queue only in part is unprocessed too.
func TestLongHeadsInTheQueueOfAServerThatDrains(t *testing.T) {
	old, next := newSleeper(t, service{}), newHost(t, service{}, ServerConfig{})
	c, s := newSleepersClient(t, old)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "long", strings.Repeat("x", 900<<10))
	done := make(chan error, 1)
	go func() { done <- c.Invoke(ctx, unaryMethod, &blob{}, &blob{}, nil) }()
	old.queued(64 << 10)
	s.move(next.accept)
	old.drain()
	if err := await(t, "the call", done); err != nil {
		t.Errorf("the call comes to %v", err)
	}
}

// A stream of messages that meets a draining server is sent again, and all its messages arrive at the next
// server, once and in order; or the call fails. No message may get lost.
func TestStreamsInTheQueueOfAServerThatDrains(t *testing.T) {
	for name, tc := range map[string]struct {
		sizes []int
		queue int // that waits before the drain
		fails bool
	}{
		"nothing sent":             {nil, 10, false},
		"a message":                {[]int{10}, 10, false},
		"many small":               {repeat(10, 100), 1000, false},
		"some of 10 KiB":           {repeat(10<<10, 15), 150 << 10, false},
		"one of 1 MiB":             {[]int{1 << 20}, 64 << 10, true},
		"small, then one of 1 MiB": {[]int{10, 10, 1 << 20}, 64 << 10, true},
		"some of 100 KiB":          {repeat(100<<10, 5), 150 << 10, true},
		"many of 10 KiB":           {repeat(10<<10, 100), 100 << 10, true},
	} {
		for _, desc := range []*grpc.StreamDesc{&upDesc, &bothDesc} {
			t.Run(name+"/"+desc.StreamName, func(t *testing.T) {
				gather := service{stream: func(ss grpc.ServerStream) error {
					var got []byte
					for {
						m := &blob{}
						err := ss.RecvMsg(m)
						if err == io.EOF {
							return ss.SendMsg(&blob{Value: got})
						}
						if err != nil {
							return err
						}
						got = fmt.Appendf(got, "%d×%.3s ", len(m.Value), m.Value)
					}
				}}
				old, next := newSleeper(t, gather), newHost(t, gather, ServerConfig{})
				c, s := newSleepersClient(t, old)
				stream := open(t, c, desc)
				var want strings.Builder
				for i, size := range tc.sizes {
					fmt.Fprintf(&want, "%d×%.3s ", size, content(i, size))
				}
				sent := make(chan error, 1)
				go func() {
					for i, size := range tc.sizes {
						if err := stream.SendMsg(&blob{Value: content(i, size)}); err != nil {
							sent <- err
							return
						}
					}
					sent <- stream.CloseSend()
				}()
				old.queued(tc.queue)
				if !tc.fails {
					await(t, "the messages to be sent", sent)
				}
				s.move(next.accept)
				old.drain()
				if tc.fails {
					await(t, "the messages to be sent", sent)
				}
				got := &blob{}
				err := stream.RecvMsg(got)
				if err != nil && (!tc.fails || status.Code(err) != codes.Unavailable) {
					t.Errorf("the call comes to %v", err)
				}
				if err == nil && string(got.Value) != want.String() {
					t.Errorf("the server gets %.200s\nwant            %.200s", got.Value, want.String())
				}
				await(t, "the drain", old.drained)
			})
		}
	}
}

func repeat(size, n int) (sizes []int) {
	for range n {
		sizes = append(sizes, size)
	}
	return sizes
}

// content distinguishes message i from others.
func content(i, size int) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("%03d-", i), size/4+1)[:size])
}

// A call is not sent again for ever. In the end it fails as if there were no server.
func TestCallsAreBegunAnewOnlySoOften(t *testing.T) {
	c, s := newClient(t, fake(t, func(w *rawConn) {
		w.skipCall()
		w.Write(frame(wire.KindGoAway))
		w.skipCall()
	}))
	_, err := invoke(t, c, "x")
	if code := status.Code(err); code != codes.Unavailable {
		t.Errorf("the call comes to %v, want Unavailable", err)
	}
	if n := s.dialed(); n != 1+maxTries {
		t.Errorf("the client connects %d times, want %d", n, 1+maxTries)
	}
}

// If the next server is not there yet, a unary call goes over HTTP/2, which can wait or explain. A stream
// fails, because the caller has it already.
func TestCallsBegunAnewWithNoServer(t *testing.T) {
	var s *site
	c, s := newClient(t, nil)
	s.move(fake(t, func(w *rawConn) {
		w.next()
		s.move(nil)
		w.Write(frame(wire.KindGoAway))
		w.skipCall()
	}))
	refuse := s.accept
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
		t.Errorf("a unary call comes to %v", err)
	}
	s.move(refuse)
	if err := open(t, c, &bothDesc).RecvMsg(&blob{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a stream comes to %v", err)
	}
}

// A drain waits for the handlers that run, and closes idle connections at once.
func TestDrainWaitsForHandlersAlone(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	old := newHost(t, service{unary: func(ctx context.Context, m *blob) (*blob, error) {
		close(entered)
		<-release
		return m, ctx.Err()
	}}, ServerConfig{})
	next := newHost(t, service{}, ServerConfig{})
	c, s := newClient(t, old.accept)
	idle := old.connect()
	done := make(chan error, 1)
	go func() {
		_, err := invoke(t, c, "x")
		done <- err
	}()
	await(t, "the handler", entered)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		old.Drain()
	}()
	idle.wantClosed()
	s.move(next.accept)
	select {
	case <-drained:
		t.Error("the drain does not wait for the handler")
	default:
	}
	close(release)
	if err := await(t, "the call", done); err != nil {
		t.Errorf("the call comes to %v", err)
	}
	await(t, "the drain", drained)
	mustEcho(t, c, "at the next")
}

// A connection may be accepted before its goroutine runs. Its client was let in, so its call is served.
func TestDrainWaitsForAConnectionThatIsComing(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	coming := make(chan *net.UnixConn, 1)
	c, _ := newClient(t, func(conn *net.UnixConn) { coming <- conn })
	done := h.Coming()
	called := make(chan error, 1)
	go func() {
		_, err := invoke(t, c, "x")
		called <- err
	}()
	conn := await(t, "the connection", coming)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		h.Drain()
	}()
	fixture.Eventually(t, "the drain", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.draining
	})
	h.accept(conn)
	if err := await(t, "the call", called); err != nil {
		t.Errorf("the call comes to %v", err)
	}
	c.Close()
	await(t, "the server to be done with it", h.errs)
	select {
	case <-drained:
		t.Error("the drain does not wait")
	default:
	}
	done()
	await(t, "the drain", drained)
}

// After the end of the server, new connections are closed without an answer.
func TestConnectionsAfterTheEnd(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	h.Stop()
	c, _ := newClient(t, func(conn *net.UnixConn) { h.accept(conn) })
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
		t.Errorf("a call comes to %v", err)
	}
}

// While Drain waits for the last connection, more may come at any moment, also just when that ends.
func TestConnectionsMayComeWhileDrainWaits(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	var over atomic.Bool
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for !over.Load() {
				h.Coming()()
			}
		})
	}
	for range 3000 {
		last := h.Coming()
		clients.Go(h.Drain)
		last()
	}
	over.Store(true)
	clients.Wait()
}
