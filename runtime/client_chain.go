package runtime

import (
	"context"

	"google.golang.org/grpc"
)

// chainUnary combines interceptors, the first outermost; nil if there are none. A client's interceptors
// run before the choice of the transport, so that they see each call once, whichever carries it.
func chainUnary(chain []grpc.UnaryClientInterceptor) grpc.UnaryClientInterceptor {
	switch len(chain) {
	case 0:
		return nil
	case 1:
		return chain[0]
	}
	outer, inner := chain[0], chainUnary(chain[1:])
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		next := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
			return inner(ctx, method, req, reply, cc, invoker, opts...)
		}
		return outer(ctx, method, req, reply, cc, next, opts...)
	}
}

// chainStream is chainUnary for streams.
func chainStream(chain []grpc.StreamClientInterceptor) grpc.StreamClientInterceptor {
	switch len(chain) {
	case 0:
		return nil
	case 1:
		return chain[0]
	}
	outer, inner := chain[0], chainStream(chain[1:])
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		next := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return inner(ctx, desc, cc, method, streamer, opts...)
		}
		return outer(ctx, desc, cc, method, next, opts...)
	}
}
