package inspect

import (
	"context"
	"math"
	"testing"

	"google.golang.org/grpc"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// BenchmarkCall is what a call pays: nothing where there is no inspection, an atomic load where nobody looks.
func BenchmarkCall(b *testing.B) {
	handle := func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) { return nil, nil }
	who := func(context.Context) Caller { return Caller{UID: 1000, PID: 1000} }
	carried := func(context.Context) inspectv1.Transport { return inspectv1.Transport_TRANSPORT_DIRECT }
	unwatched, watched := New(Config{Caller: who}), New(Config{Caller: who})
	watched.enter()
	tappedNow, full := New(Config{Caller: who, Transport: carried}), New(Config{Caller: who, Transport: carried})
	room, none := newTap(false), newTap(false)
	room.room.Store(math.MaxInt64)
	none.room.Store(0)
	defer tappedNow.taps.add(room)()
	defer full.taps.add(none)()
	for _, c := range []struct {
		name string
		i    *Inspection
	}{{"none", nil}, {"nobody looks", unwatched}, {"somebody looks", watched}, {"is told", tappedNow}, {"is told of enough", full}} {
		b.Run(c.name, func(b *testing.B) {
			desc := c.i.Record(&grpc.ServiceDesc{ServiceName: "s", Methods: []grpc.MethodDesc{{MethodName: "m", Handler: handle}}})
			call := desc.Methods[0].Handler
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if len(room.pending) > maxPending/2 {
					room.take(room.pending)
				}
				if _, err := call(nil, ctx, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
