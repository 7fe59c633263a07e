package inspect

import (
	"context"
	"testing"

	"google.golang.org/grpc"
)

// BenchmarkCall is what a call pays: nothing where there is no inspection, an atomic load where nobody looks.
func BenchmarkCall(b *testing.B) {
	handle := func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) { return nil, nil }
	who := func(context.Context) Caller { return Caller{UID: 1000, PID: 1000} }
	unwatched, watched := New(Config{Caller: who}), New(Config{Caller: who})
	watched.enter()
	for _, c := range []struct {
		name string
		i    *Inspection
	}{{"none", nil}, {"nobody looks", unwatched}, {"somebody looks", watched}} {
		b.Run(c.name, func(b *testing.B) {
			desc := c.i.Record(&grpc.ServiceDesc{ServiceName: "s", Methods: []grpc.MethodDesc{{MethodName: "m", Handler: handle}}})
			call := desc.Methods[0].Handler
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := call(nil, ctx, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
