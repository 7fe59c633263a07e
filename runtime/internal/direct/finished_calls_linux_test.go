package direct

import (
	"context"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// A goroutine that a handler has left behind, and that still uses the stream, gets errors. It never
// receives anything of the next call on the connection, nor sends anything in it.
func TestStreamsOfCallsThatAreOverTouchNoOtherCall(t *testing.T) {
	var old grpc.ServerStream
	calls := 0
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		calls++
		if calls == 1 {
			old = ss
			return echo(ss)
		}
		if code := status.Code(old.RecvMsg(&blob{})); code != codes.Canceled {
			t.Errorf("RecvMsg of the call before comes to %v", code)
		}
		if code := status.Code(old.SendMsg(&blob{Value: []byte("stray")})); code != codes.Canceled {
			t.Errorf("SendMsg of the call before comes to %v", code)
		}
		if err := old.SendHeader(metadata.Pairs("stray", "1")); err == nil {
			t.Error("SendHeader of the call before is no error")
		}
		if err := old.SetHeader(metadata.Pairs("stray", "1")); err == nil {
			t.Error("SetHeader of the call before is no error")
		}
		old.SetTrailer(metadata.Pairs("stray", "1"))
		if err := old.Context().Err(); err != context.Canceled {
			t.Errorf("the context of the call before has %v", err)
		}
		if err := ss.Context().Err(); err != nil {
			t.Errorf("the context of this call has %v", err)
		}
		return echo(ss)
	}}, ServerConfig{})
	c, s := newClient(t, h.accept)
	for _, content := range []string{"first", "second"} {
		stream := open(t, c, &bothDesc)
		if err := stream.SendMsg(&blob{Value: []byte(content)}); err != nil {
			t.Fatal(err)
		}
		stream.CloseSend()
		got := &blob{}
		if err := stream.RecvMsg(got); err != nil || string(got.Value) != content {
			t.Errorf("the echo is %q, %v", got.Value, err)
		}
		if err := stream.RecvMsg(got); err != io.EOF {
			t.Error(err)
		}
		if md, _ := stream.Header(); len(md["stray"])+len(stream.Trailer()["stray"]) > 0 {
			t.Error("metadata of the call before has come")
		}
	}
	if s.dialed() != 1 {
		t.Error("the calls were not on the same connection")
	}
}

// A goroutine that still waits for a message when its handler returns ends, and so does the connection, so
// that the goroutine cannot take a message of the next call.
func TestReceiversOfFinishedCallsTakeNothing(t *testing.T) {
	left := make(chan error, 1)
	first := true
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		if !first {
			return echo(ss)
		}
		first = false
		go func() { left <- ss.RecvMsg(&blob{}) }()
		fixture.Eventually(t, "the goroutine to wait", func() bool {
			receiving := &ss.(*serverStream).receiving
			if receiving.TryLock() {
				receiving.Unlock()
				return false
			}
			return true
		})
		return status.Error(codes.Aborted, "leaves")
	}}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	stream := open(t, c, &bothDesc)
	if err := stream.RecvMsg(&blob{}); status.Code(err) != codes.Aborted {
		t.Errorf("the call comes to %v", err)
	}
	if err := await(t, "the goroutine left behind", left); status.Code(err) != codes.Canceled {
		t.Errorf("it gets %v", err)
	}
	stream = open(t, c, &bothDesc)
	stream.SendMsg(&blob{Value: []byte("x")})
	got := &blob{}
	if err := stream.RecvMsg(got); err != nil || string(got.Value) != "x" {
		t.Errorf("the next call gets %q, %v", got.Value, err)
	}
	stream.CloseSend()
	stream.RecvMsg(got)
}

// A client's stream that is over affects no other call either, whatever the program does with it.
func TestClientStreamsThatAreOverTouchNoOtherCall(t *testing.T) {
	for name, misuse := range map[string]func(grpc.ClientStream){
		"SendMsg":   func(s grpc.ClientStream) { s.SendMsg(&blob{}) },
		"no proto":  func(s grpc.ClientStream) { s.SendMsg(1) },
		"CloseSend": func(s grpc.ClientStream) { s.CloseSend() },
		"RecvMsg":   func(s grpc.ClientStream) { s.RecvMsg(&blob{}) },
		"Header":    func(s grpc.ClientStream) { s.Header() },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, service{}, ServerConfig{})
			c, s := newClient(t, h.accept)
			old := open(t, c, &bothDesc)
			old.CloseSend()
			if err := old.RecvMsg(&blob{}); err != io.EOF {
				t.Fatal(err)
			}
			stream := open(t, c, &bothDesc)
			misuse(old)
			if err := stream.SendMsg(&blob{Value: []byte("x")}); err != nil {
				t.Error(err)
			}
			stream.CloseSend()
			got := &blob{}
			if err := stream.RecvMsg(got); err != nil || string(got.Value) != "x" {
				t.Errorf("the echo is %q, %v", got.Value, err)
			}
			if err := stream.RecvMsg(got); err != io.EOF {
				t.Error(err)
			}
			if s.dialed() != 1 {
				t.Error("the calls were not on the same connection")
			}
		})
	}
}

// The deadline of a call that has ended in time does nothing to the next call on the connection, even if
// it passes before the server has finished the first.
func TestDeadlinesOfCallsThatAreOverTouchNoOtherCall(t *testing.T) {
	var waiting = true
	h := newHost(t, service{}, ServerConfig{Stats: handlers{statsFuncs{rpc: func(ctx context.Context, e stats.RPCStats) {
		// The status has been sent, and the deadline of the first call passes now.
		if _, ok := e.(*stats.OutTrailer); ok && waiting {
			waiting = false
			<-ctx.Done()
		}
	}}}})
	w := h.connect()
	w.send(frame(wire.KindCall, wire.AppendCallHeader(nil, 500*time.Millisecond, bothMethod, nil)...), endFrame)
	if st := w.wantStatus(); st.Code != 0 || st.Last {
		t.Fatalf("the status is %+v", st)
	}
	for range 2 {
		w.send(callFrame(bothMethod, nil), messageFrame("x"), endFrame)
		if k, _, err := w.next(); err != nil || k != wire.KindMessage {
			t.Fatalf("the next call gets %q, %v", k, err)
		}
		w.wantStatus()
	}
}
