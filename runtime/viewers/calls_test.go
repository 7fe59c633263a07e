package viewers_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// tap is a viewer of calls.
type tap struct {
	t      testing.TB
	stream grpc.ServerStreamingClient[inspectv1.CallsResponse]
	calls  []*inspectv1.Call // that have come, and next has not returned
}

// tapCalls returns a viewer that is told of each call from now on.
func tapCalls(t testing.TB, path string, req *inspectv1.CallsRequest) *tap {
	t.Helper()
	conn, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	stream, err := inspectv1.NewInspectServiceClient(conn).Calls(t.Context(), req)
	if err == nil {
		_, err = stream.Header()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &tap{t: t, stream: stream}
}

func (v *tap) next() *inspectv1.Call {
	v.t.Helper()
	for len(v.calls) == 0 {
		resp, err := v.stream.Recv()
		if err != nil {
			v.t.Fatal(err)
		}
		if resp.GetDropped() > 0 {
			v.t.Errorf("%d calls were dropped", resp.GetDropped())
		}
		v.calls = resp.GetCalls()
	}
	c := v.calls[0]
	v.calls = v.calls[1:]
	return c
}

// want checks the next call.
func (v *tap) want(method string, code codes.Code, requests, requestBytes, responses, responseBytes uint64) *inspectv1.Call {
	v.t.Helper()
	c := v.next()
	if c.GetMethod() != method || c.GetCode() != uint32(code) || c.GetRequests() != requests || c.GetRequestBytes() != requestBytes ||
		c.GetResponses() != responses || c.GetResponseBytes() != responseBytes {
		v.t.Errorf("a call is told as %v; want %s with %v, and %d of %d in, %d of %d out", c, method, code, requests, requestBytes, responses, responseBytes)
	}
	return c
}

func TestTapIsToldOfEachCallOfEachTransport(t *testing.T) {
	t.Parallel()
	for transport, opts := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			greetertest.Serve(t, path, greetertest.New(), runtime.AuthorizeMethod(greeterv1.Greeter_Gather_FullMethodName, runtime.Policy{}), runtime.MaxRecvMsgSize(1000))
			client, conn := greetertest.Dial(t, path, opts...)
			v := tapCalls(t, path, nil)

			resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "Ada"})
			if err != nil {
				t.Fatal(err)
			}
			c := v.want(greet, codes.OK, 1, 5, 1, size(resp))
			if c.GetTransport().String() != "TRANSPORT_"+strings.ToUpper(transport) {
				t.Errorf("the transport is %v", c.GetTransport())
			}
			if c.GetCaller().GetUid() != uint32(os.Getuid()) || c.GetCaller().GetPid() != int64(os.Getpid()) || c.GetCaller().Uid == nil {
				t.Errorf("the caller is %v", c.GetCaller())
			}
			if c.GetDuration().AsDuration() <= 0 || c.GetTime().AsTime().IsZero() || c.GetContents() != nil {
				t.Errorf("the call is %v", c)
			}

			_, err = client.Greet(t.Context(), &greeterv1.GreetRequest{Name: strings.Repeat("x", 2000)})
			greetertest.CheckCode(t, err, codes.ResourceExhausted)
			v.want(greet, codes.ResourceExhausted, 0, 0, 0, 0)

			gather, err := client.Gather(t.Context())
			if err == nil {
				_, err = gather.CloseAndRecv()
			}
			greetertest.CheckCode(t, err, codes.PermissionDenied)
			v.want(greeterv1.Greeter_Gather_FullMethodName, codes.PermissionDenied, 0, 0, 0, 0)

			ctx, cancel := context.WithCancel(t.Context())
			open, err := client.Countdown(ctx, &greeterv1.CountdownRequest{From: -1})
			if err == nil {
				_, err = open.Recv()
			}
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			v.want(countdown, codes.Canceled, 1, size(&greeterv1.CountdownRequest{From: -1}), 1, 0)

			down, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{From: 3})
			for err == nil {
				_, err = down.Recv()
			}
			v.want(countdown, codes.OK, 1, 2, 4, 6)
			conn.Close()
		})
	}
}

func size(m proto.Message) uint64 { return uint64(proto.Size(m)) }

func TestEachTapIsToldOfEachCall(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	client, _ := greetertest.Dial(t, path)
	first, second := tapCalls(t, path, nil), tapCalls(t, path, nil)
	counts := look(t, path)
	for range 3 {
		greetertest.Greet(t, client)
		a, b := first.next(), second.next()
		if !proto.Equal(a, b) || a.GetMethod() != greet {
			t.Errorf("one is told of %v, the other of %v", a, b)
		}
	}
	counts.see("the same calls", func(s *inspectv1.SnapshotsResponse) bool { return methodOf(s, greet).GetCodes()[0] == 3 })
}

// A viewer that reads nothing costs no more than its buffer, and no call waits for it.
func TestHungTapMissesCallsAndIsToldHowMany(t *testing.T) {
	t.Parallel()
	for transport, opts := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			greetertest.Serve(t, path, greetertest.New())
			client, _ := greetertest.Dial(t, path, opts...)
			v := tapCalls(t, path, nil)
			const calls = 40_000 // more than fit into the buffer, and what grpc and the kernel hold
			var callers sync.WaitGroup
			for range 8 {
				callers.Go(func() {
					for range calls / 8 {
						if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			callers.Wait()
			told, dropped := 0, 0
			for told+dropped < calls {
				resp, err := v.stream.Recv()
				if err != nil {
					t.Fatal(err)
				}
				told += len(resp.GetCalls())
				dropped += int(resp.GetDropped())
			}
			if dropped == 0 || told == 0 || told+dropped != calls {
				t.Errorf("%d calls are told, and %d dropped, of %d", told, dropped, calls)
			}
			greetertest.Greet(t, client)
			if c := v.next(); c.GetMethod() != greet {
				t.Errorf("then it is told of %v", c)
			}
		})
	}
}

func TestTapEndsWithTheDrain(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, greetertest.New())
	v := tapCalls(t, path, nil)
	srv.Stop()
	_, err := v.stream.Recv()
	greetertest.CheckCode(t, err, codes.Unavailable)
}

// What viewers do is in no tap, nor is it counted.
func TestTapsDoNotSeeViewers(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	client, _ := greetertest.Dial(t, path)
	v := tapCalls(t, path, nil)
	look(t, path).next()
	tapCalls(t, path, nil)
	greetertest.Greet(t, client)
	if c := v.next(); c.GetMethod() != greet {
		t.Errorf("it is told of %v", c)
	}
}
