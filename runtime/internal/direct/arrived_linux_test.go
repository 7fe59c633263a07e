package direct

import (
	"context"
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// awaitArrival waits until that many bytes have come that nobody has read.
func (s *clientStream) awaitArrival(t *testing.T, bytes int) {
	t.Helper()
	fixture.Eventually(t, "the answer to come", func() bool {
		n := 0
		s.conn.raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
		return n >= bytes
	})
}

// As over HTTP/2, what has come before a call ended is received, and then the end.
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
					ss.SetTrailer(metadata.Pairs("t", "1"))
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
				stream.awaitArrival(t, want*100+20)
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

// Also what is wrong with it; and once a program was told that the call has ended, that stays the end.
func TestTooLargeMessageThatHasComeIsToldAfterACancel(t *testing.T) {
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		ss.SetTrailer(metadata.Pairs("t", "1"))
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
	stream.awaitArrival(t, 1010)
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
