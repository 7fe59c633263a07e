package load_test

import (
	"context"
	goruntime "runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// What a unary call of 64 B over the direct transport may allocate, objects of both ends together.
const (
	maxAllocations             = 8
	maxAllocationsWithDeadline = 12
	maxAllocationsAsleep       = 17 // with a deadline, of one whose goroutine sleeps until the answer comes
)

// The count is that of the rows "allocations" in docs/benchmarks, where each end is a process of its own:
// the message has the shape of the one there, and all objects that are allocated meanwhile count.
func TestAllocationsOfAUnaryCall(t *testing.T) {
	if fixture.RaceDetector {
		t.Skip("the race detector allocates, and lets sync.Pool forget things")
	}
	path := fixture.FreePath(t)
	srv, err := runtime.NewServer(path)
	if err != nil {
		t.Fatal(err)
	}
	srv.RegisterService(&echoDesc, echoService{})
	greetertest.Run(t, srv)
	conn, err := runtime.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	req := &wrapperspb.BytesValue{Value: make([]byte, 64)}
	for _, c := range []struct {
		name     string
		deadline time.Duration
		max      float64
	}{
		{"without a deadline", 0, maxAllocations},
		{"with a deadline", 5 * time.Second, maxAllocationsWithDeadline},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := func() {
				ctx := context.Background() // as that of a program without deadlines: it never ends
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				got, err := echo(ctx, conn, &wrapperspb.BytesValue{Value: req.Value})
				if err != nil || len(got.GetValue()) != len(req.Value) {
					t.Fatalf("got %d bytes, %v", len(got.GetValue()), err)
				}
			}
			checkDirect(t, conn, req)
			got := allocations(call)
			if conn.Stats().Rings == 0 && c.deadline > 0 {
				c.max = maxAllocationsAsleep
			}
			// How many calls sleep depends on what else runs on the machine.
			for tries := 0; got > c.max+0.3 && tries < 20; tries++ {
				got = min(got, allocations(call))
			}
			t.Logf("%.2f allocations a call", got)
			// What the runtime does in the background meanwhile counts, too.
			if got > c.max+0.3 {
				t.Errorf("a call makes %.2f allocations, at most %.0f are allowed", got, c.max)
			}
			if got < 1 {
				t.Errorf("a call makes %.2f allocations: they are not counted", got)
			}
		})
	}
}

// allocations returns how many objects the process allocates for a call, when it has made many.
func allocations(call func()) float64 {
	const warmup, calls = 500, 5000
	for range warmup {
		call()
	}
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	for range calls {
		call()
	}
	goruntime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / calls
}

func checkDirect(t *testing.T, conn *runtime.ClientConn, req *wrapperspb.BytesValue) {
	t.Helper()
	var p peer.Peer
	if _, err := echo(t.Context(), conn, req, grpc.Peer(&p)); err != nil {
		t.Fatal(err)
	}
	if got := greetertest.TransportOf(&p); got != "direct" {
		t.Fatalf("calls are carried by %s, not direct", got)
	}
}

// echoService answers with what it was sent. Its stubs are as protoc-gen-go-grpc writes them.
type echoService struct{}

type echoServer interface {
	Echo(context.Context, *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error)
}

func (echoService) Echo(_ context.Context, req *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	return req, nil
}

const echoMethod = "/test.Echo/Echo"

var echoDesc = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*echoServer)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: echoHandler}},
}

func echoHandler(srv any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	in := new(wrapperspb.BytesValue)
	if err := dec(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(echoServer).Echo(ctx, in)
	}
	info := &grpc.UnaryServerInfo{Server: srv, FullMethod: echoMethod}
	return interceptor(ctx, in, info, func(ctx context.Context, req any) (any, error) {
		return srv.(echoServer).Echo(ctx, req.(*wrapperspb.BytesValue))
	})
}

func echo(ctx context.Context, conn grpc.ClientConnInterface, in *wrapperspb.BytesValue, opts ...grpc.CallOption) (*wrapperspb.BytesValue, error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	out := new(wrapperspb.BytesValue)
	if err := conn.Invoke(ctx, echoMethod, in, out, cOpts...); err != nil {
		return nil, err
	}
	return out, nil
}
