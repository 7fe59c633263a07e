package direct

import (
	"context"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// A handler learns that its client has hung up, even if nobody reads from the connection.
func TestHandlersLearnOfHangUps(t *testing.T) {
	for name, sent := range map[string][]byte{
		"unary":                         unaryCall("x"),
		"stream":                        callFrame(bothMethod, nil),
		"stream with messages unread":   concat(callFrame(bothMethod, nil), messageFrame("x"), messageFrame("y")),
		"stream with its end unread":    concat(callFrame(upMethod, nil), messageFrame("x"), endFrame),
		"stream of the server's":        concat(callFrame(downMethod, nil), messageFrame("x"), endFrame),
		"unary, with another behind it": concat(unaryCall("x"), unaryCall("y")),
	} {
		t.Run(name, func(t *testing.T) {
			entered, ended := make(chan struct{}, 2), make(chan error, 2)
			wait := func(ctx context.Context) error {
				entered <- struct{}{}
				<-ctx.Done()
				ended <- ctx.Err()
				return ctx.Err()
			}
			h := newHost(t, service{
				unary:  func(ctx context.Context, m *blob) (*blob, error) { return m, wait(ctx) },
				stream: func(ss grpc.ServerStream) error { return wait(ss.Context()) },
			}, ServerConfig{})
			w := h.connect()
			w.send(sent)
			await(t, "the handler", entered)
			w.Close()
			if err := await(t, "the end of the context", ended); err != context.Canceled {
				t.Errorf("the context has %v", err)
			}
			if err := await(t, "Serve", h.errs); err != nil {
				t.Errorf("to hang up is every client's right, and not %v", err)
			}
		})
	}
}

// If a client is killed in the middle of a message, a receiver that waits for the rest wakes, and so does
// a sender that waits for room.
func TestHangUpsWakeWhoWaits(t *testing.T) {
	for name, handle := range map[string]func(grpc.ServerStream) error{
		"receiving": func(ss grpc.ServerStream) error { return ss.RecvMsg(&blob{}) },
		"sending": func(ss grpc.ServerStream) error {
			for {
				if err := ss.SendMsg(&blob{Value: make([]byte, 100<<10)}); err != nil {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			entered, ended := make(chan struct{}), make(chan error, 1)
			h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
				close(entered)
				err := handle(ss)
				ended <- err
				return err
			}}, ServerConfig{})
			w := h.connect()
			w.send(callFrame(bothMethod, nil), announce(wire.KindMessage, 100), []byte("part"))
			await(t, "the handler", entered)
			w.Close()
			if err := await(t, "the handler", ended); status.Code(err) != codes.Canceled {
				t.Errorf("it gets %v", err)
			}
		})
	}
}

// rigged are watched connections, and the hang-ups that were reported.
func watch(t *testing.T, h *hangups) (local, remote *conn, heard chan struct{}) {
	t.Helper()
	a, b := pair(t)
	var conns [2]*conn
	for i, c := range []*rawConn{{UnixConn: a}, {UnixConn: b}} {
		var err error
		if conns[i], err = newConn(c.UnixConn, nil, &wire.Buffers{}); err != nil {
			t.Fatal(err)
		}
	}
	heard = make(chan struct{}, 10)
	forget, err := h.add(conns[0], func() { heard <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forget)
	return conns[0], conns[1], heard
}

func newWatch(t *testing.T) *hangups {
	t.Helper()
	h, err := newHangups()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return h
}

// Only a hang-up is reported: not data, not the end of what either side sends, not this side's shutdown
// for reading, with which a drain begins.
func TestOnlyHangUpsAreHangUps(t *testing.T) {
	h := newWatch(t)
	for name, do := range map[string]func(local, remote *conn){
		"data":                  func(_, remote *conn) { remote.Write([]byte("x")) },
		"shut down for reading": func(local, _ *conn) { local.CloseRead() },
		"the client's end":      func(_, remote *conn) { remote.CloseWrite() },
		"read to the end": func(local, remote *conn) {
			remote.CloseWrite()
			io.Copy(io.Discard, local.UnixConn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			local, remote, heard := watch(t, h)
			do(local, remote)
			// Hang-ups are reported in order, so a false one would have been reported before this one.
			_, fence, fenced := watch(t, h)
			fence.Close()
			await(t, "a hang-up", fenced)
			if len(heard) > 0 {
				t.Error("it is taken for a hang-up")
			}
			remote.Close()
			await(t, "the hang-up", heard)
		})
	}
}

// A hang-up of a closed connection is not reported for a new one with the same descriptor.
func TestHangUpsOfADescriptorThatWasUsedBefore(t *testing.T) {
	h := newWatch(t)
	local, remote, heard := watch(t, h)
	var key int32
	local.raw.Control(func(fd uintptr) { key = int32(fd) })
	wrong := make(chan struct{}, 1)
	// Between the kernel's report and its delivery the connection is closed, and another one opened.
	h.mu.Lock()
	remote.Close()
	h.calls[key] = hangup{h.calls[key].number + 1000, func() { wrong <- struct{}{} }}
	h.mu.Unlock()
	_, fence, fenced := watch(t, h)
	fence.Close()
	await(t, "a hang-up", fenced)
	if len(wrong)+len(heard) > 0 {
		t.Error("the hang-up of the connection before is taken for its own")
	}
	h.mu.Lock()
	delete(h.calls, key)
	h.mu.Unlock()
}

// A forgotten connection is not reported, and leaves nothing behind.
func TestForgottenConnections(t *testing.T) {
	h := newWatch(t)
	_, fence, fenced := watch(t, h)
	a, b := pair(t)
	c, err := newConn(a, nil, &wire.Buffers{})
	if err != nil {
		t.Fatal(err)
	}
	forget, err := h.add(c, func() { t.Error("it is heard of") })
	if err != nil {
		t.Fatal(err)
	}
	forget()
	b.Close()
	fence.Close()
	await(t, "a hang-up", fenced)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.calls) != 1 { // the fence
		t.Errorf("%d connections are watched", len(h.calls))
	}
}
