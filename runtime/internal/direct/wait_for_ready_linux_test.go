package direct

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// unprocessedStream opens a stream to a server that ends without having processed it, while it has no
// successor.
func unprocessedStream(t *testing.T, ctx context.Context, opts ...grpc.CallOption) (received chan error, c *Client, s *site) {
	old := newSleeper(t, service{stream: echo})
	c, s = newSleepersClient(t, old)
	stream, err := c.NewStream(ctx, &bothDesc, bothMethod, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(&blob{Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	old.queued(1)
	s.move(nil)
	dials := s.dialed()
	received = make(chan error, 1)
	go func() { received <- stream.RecvMsg(&blob{}) }()
	old.drain()
	await(t, "the drain", old.drained)
	fixture.Eventually(t, "the client to look for a server", func() bool { return s.dialed() > dials+1 || len(received) > 0 })
	return received, c, s
}

func TestStreamThatWaitsForReadyIsSentAgainWhenAServerComes(t *testing.T) {
	received, _, s := unprocessedStream(t, t.Context(), grpc.WaitForReady(true))
	next := newHost(t, service{stream: echo}, ServerConfig{})
	s.move(next.accept)
	if err := await(t, "the echo", received); err != nil {
		t.Errorf("the stream comes to %v", err)
	}
}

func TestStreamThatWaitsForReadySurvivesAServerThatCrashesAsItStarts(t *testing.T) {
	received, _, s := unprocessedStream(t, t.Context(), grpc.WaitForReady(true))
	s.move(func(c *net.UnixConn) { c.Close() })
	dials := s.dialed()
	fixture.Eventually(t, "the crash", func() bool { return s.dialed() > dials })
	next := newHost(t, service{stream: echo}, ServerConfig{})
	s.move(next.accept)
	if err := await(t, "the echo", received); err != nil {
		t.Errorf("the stream comes to %v", err)
	}
}

// A Send does not wait for an answer to bytes that were not sent yet.
func TestSendingGoesOnWhenAStreamIsSentAgain(t *testing.T) {
	old := newSleeper(t, service{})
	c, s := newSleepersClient(t, old)
	opened, err := c.NewStream(t.Context(), &upDesc, upMethod, []grpc.CallOption{grpc.WaitForReady(true)})
	if err != nil {
		t.Fatal(err)
	}
	stream := opened.(*clientStream)
	old.queued(1)
	s.move(nil)
	received, sent := make(chan error, 1), make(chan error, 1)
	got := &blob{}
	go func() { received <- stream.RecvMsg(got) }()
	dials := s.dialed()
	old.drain()
	await(t, "the drain", old.drained)
	fixture.Eventually(t, "the receiver to look for a server", func() bool { return s.dialed() > dials })
	go func() { sent <- stream.SendMsg(&blob{Value: []byte("x")}) }()
	if err := await(t, "SendMsg", sent); err != nil {
		t.Errorf("sending comes to %v", err)
	}
	next := newHost(t, count, ServerConfig{}) // answers at the end
	s.move(next.accept)
	if err := stream.CloseSend(); err != nil {
		t.Errorf("ending comes to %v", err)
	}
	if err := await(t, "the answer", received); err != nil || string(got.Value) != "x" {
		t.Errorf("receiving comes to %q, %v", got.Value, err)
	}
}

func TestStreamThatDoesNotWaitFailsWithoutAServer(t *testing.T) {
	received, _, _ := unprocessedStream(t, t.Context())
	if err := await(t, "the stream", received); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream comes to %v", err)
	}
}

func TestStreamThatWaitsForAServerEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(cancel func(), c *Client, s *site)
		want codes.Code
	}{
		"with its context": {func(cancel func(), _ *Client, _ *site) { cancel() }, codes.Canceled},
		"with the client":  {func(_ func(), c *Client, _ *site) { c.Close() }, codes.Canceled},
		"with a server that speaks HTTP/2 only": {func(_ func(), _ *Client, s *site) {
			s.move(func(c *net.UnixConn) {
				go func() {
					defer c.Close()
					wrongServers["HTTP/2 settings"](c)
				}()
			})
		}, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			received, c, s := unprocessedStream(t, ctx, grpc.WaitForReady(true))
			tc.end(cancel, c, s)
			if err := await(t, "the stream", received); status.Code(err) != tc.want {
				t.Errorf("the stream comes to %v, want %v", err, tc.want)
			}
		})
	}
}

// A server that was stopped for a while answers later.
func TestServerThatHasNotAnsweredIsAskedAgainLater(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, s := newClient(t, func(c *net.UnixConn) { c.Close() })
	for range 3 {
		if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
			t.Errorf("the call comes to %v", err)
		}
	}
	if n := s.dialed(); n != 1 {
		t.Errorf("the client connects %d times", n)
	}
	s.move(h.accept)
	c.silentUntil.set(-time.Millisecond) // the pause is over
	mustEcho(t, c, "x")
}

// An attempt that ended with its caller's short deadline says nothing about the server.
func TestServerIsNotSilentBecauseACallerHasNoTime(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	for i := range 2000 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%100)*time.Microsecond)
		c.Invoke(ctx, unaryMethod, &blob{}, &blob{}, nil)
		cancel()
		c.pool.closeIdle() // so that each call connects
		if !c.silentUntil.over() {
			t.Fatalf("the server counts as silent after call %d", i)
		}
	}
}
