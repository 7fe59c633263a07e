package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// awaitArrival waits until that many unread bytes have arrived.
func (s *clientStream) awaitArrival(t *testing.T, bytes int) {
	t.Helper()
	fixture.Eventually(t, "the answer to come", func() bool {
		n := 0
		s.conn.raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
		return n >= bytes
	})
}

// lateTrailer is so large that its bytes cannot be taken for those of headers.
var lateTrailer = metadata.Pairs("t", strings.Repeat("1", 500))

// As over HTTP/2, messages that arrived before a call ended are received, and then the end.
func TestWhatHasComeBeforeTheEndIsReceived(t *testing.T) {
	for name, end := range map[string]func(s *clientStream, cancel func()){
		"a cancel":              func(_ *clientStream, cancel func()) { cancel() },
		"a cancel that is over": func(s *clientStream, cancel func()) { cancel(); <-s.Context().Done() },
		"a failure": func(s *clientStream, _ func()) {
			if err := s.SendMsg(&blob{}); status.Code(err) != codes.Internal {
				t.Errorf("sending after the end comes to %v", err)
			}
		},
	} {
		for _, desc := range []*grpc.StreamDesc{&upDesc, &bothDesc} {
			t.Run(name+"/"+desc.StreamName, func(t *testing.T) {
				h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
					if err := ss.RecvMsg(&blob{}); err != io.EOF {
						return errors.New("no end")
					}
					ss.SetHeader(metadata.Pairs("h", "1"))
					ss.SetTrailer(lateTrailer)
					n := 3
					if !desc.ServerStreams {
						n = 1
					}
					return sendMany(ss, n, 100)
				}}, ServerConfig{})
				c, _ := newClient(t, h.accept)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				opened, err := c.NewStream(ctx, desc, "/t.T/"+desc.StreamName, nil)
				if err != nil {
					t.Fatal(err)
				}
				stream, want := opened.(*clientStream), 3
				if !desc.ServerStreams {
					want = 1
				}
				if err := stream.CloseSend(); err != nil {
					t.Fatal(err)
				}
				stream.awaitArrival(t, want*100+500)
				end(stream, cancel)
				n, err := receiveAll(stream)
				if n != want || err != nil {
					t.Errorf("%d messages are received, %v; want %d and the status", n, err, want)
				}
				if md, err := stream.Header(); md.Get("h") == nil {
					t.Errorf("the header is %v, %v", md, err)
				}
				if md := stream.Trailer(); md.Get("t") == nil {
					t.Errorf("the trailer is %v", md)
				}
				mustEcho(t, c, "x")
			})
		}
	}
}

// The same holds for violations in what arrived. Once a program was told the end of a call, it is always
// told the same.
func TestTooLargeMessageThatHasComeIsToldAfterACancel(t *testing.T) {
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		ss.SetTrailer(lateTrailer)
		return sendMany(ss, 1, 1000)
	}}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opened, err := c.NewStream(ctx, &bothDesc, bothMethod, []grpc.CallOption{grpc.MaxCallRecvMsgSize(100)})
	if err != nil {
		t.Fatal(err)
	}
	stream := opened.(*clientStream)
	stream.awaitArrival(t, 1000+500)
	cancel()
	for range 2 {
		if err := stream.RecvMsg(&blob{}); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("receiving comes to %v", err)
		}
	}
	if md := stream.Trailer(); md.Get("t") == nil {
		t.Errorf("the trailer is %v", md)
	}
}

// Header may be the method that notices the end of a call. After that nothing is sent, and a cancel
// changes nothing.
func TestWhatHeaderFindsToBeOverIsOver(t *testing.T) {
	h := newHost(t, service{stream: func(grpc.ServerStream) error { return status.Error(codes.DataLoss, "lost") }}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.NewStream(ctx, &bothDesc, bothMethod, nil)
	if err != nil {
		t.Fatal(err)
	}
	if md, err := stream.Header(); md != nil || err != nil {
		t.Errorf("the header is %v, %v", md, err)
	}
	if err := stream.SendMsg(&blob{}); err != io.EOF {
		t.Errorf("sending comes to %v", err)
	}
	cancel()
	if err := stream.RecvMsg(&blob{}); status.Code(err) != codes.DataLoss {
		t.Errorf("receiving comes to %v", err)
	}
}

// After the client of a call has gone, neither the handler nor stats handlers are told anything more about
// the call.
func TestNothingIsSentOnceTheClientHasGone(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	var out []string
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		if err := ss.SetHeader(metadata.Pairs("h", "1")); err != nil {
			t.Errorf("the header comes to %v", err)
		}
		close(began)
		<-ss.Context().Done()
		for what, got := range map[string]error{
			"a late header": ss.SetHeader(metadata.Pairs("late", "1")), "sending a late header": ss.SendHeader(nil),
			"a late message": ss.SendMsg(&blob{}), "receiving late": ss.RecvMsg(&blob{}),
		} {
			want := codes.Canceled
			if what == "a late header" {
				want = codes.Internal
			}
			if status.Code(got) != want {
				t.Errorf("%s comes to %v", what, got)
			}
		}
		return nil
	}}, ServerConfig{Stats: handlers{statsFuncs{rpc: func(_ context.Context, e stats.RPCStats) {
		switch e.(type) {
		case *stats.OutHeader, *stats.OutPayload, *stats.OutTrailer:
			out = append(out, fmt.Sprintf("%T", e))
		case *stats.End:
			close(ended)
		}
	}}}})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := c.NewStream(ctx, &upDesc, upMethod, nil); err != nil {
		t.Fatal(err)
	}
	await(t, "the handler", began)
	cancel()
	await(t, "the end", ended)
	if len(out) > 0 {
		t.Errorf("stats handlers are told of %v", out)
	}
}

// The handler's context ends before the client can know of the end, and at once after an error of the
// stream.
func TestContextOfAHandlerEndsFirst(t *testing.T) {
	contexts := make(chan context.Context, 1)
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		contexts <- ss.Context()
		ss.RecvMsg(&blob{})
		return nil
	}}, ServerConfig{MaxRecv: 100})
	c, _ := newClient(t, h.accept)
	for _, size := range []int{10, 1000} {
		stream := open(t, c, &bothDesc)
		ctx := await(t, "the handler", contexts)
		if err := stream.SendMsg(&blob{Value: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
		stream.RecvMsg(&blob{})
		if ctx.Err() != context.Canceled {
			t.Errorf("the client knows of the end, and the handler's context has %v", ctx.Err())
		}
	}
}
