package inspect

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime/internal/methodname"
)

// Calls pass here, whichever transport carries them. Unary ones pass around everything that handles them, so
// that it shows also if a request cannot be read. Nothing like that is there for streams, so they pass through
// an interceptor, which has to be the outermost.

// Record returns a service whose unary calls are recorded.
func (i *Inspection) Record(desc *grpc.ServiceDesc) *grpc.ServiceDesc {
	if i == nil {
		return desc
	}
	recorded := *desc
	recorded.Methods = slices.Clone(desc.Methods)
	for n := range recorded.Methods {
		m := &recorded.Methods[n]
		name := methodname.Full(desc.ServiceName, m.MethodName)
		m.Handler = i.countUnary(name, i.tapUnary(name, m.Handler))
	}
	return &recorded
}

func (i *Inspection) countUnary(name string, handle grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		counting := i.counting.Load()
		if counting == nil {
			return handle(srv, ctx, decode, interceptor)
		}
		call := counting.begin(name, i.config.Caller(ctx))
		reply, err := handle(srv, ctx, decode, interceptor)
		call.end(err)
		return reply, err
	}
}

// RecordStreams returns an interceptor that records the streams that it passes to intercept.
func (i *Inspection) RecordStreams(intercept grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	if i == nil {
		return intercept
	}
	return i.countStreams(i.tapStreams(intercept))
}

func (i *Inspection) countStreams(intercept grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		counting := i.counting.Load()
		if counting == nil {
			return intercept(srv, ss, info, handler)
		}
		call := counting.begin(info.FullMethod, i.config.Caller(ss.Context()))
		err := intercept(srv, ss, info, handler)
		call.end(err)
		return err
	}
}

func (i *Inspection) tapUnary(name string, handle grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		taps := i.taps.admitting()
		if taps == nil {
			return handle(srv, ctx, decode, interceptor)
		}
		call := i.beginTapped(ctx, taps, name)
		reply, err := handle(srv, ctx, func(m any) error { return call.request(m, decode(m)) }, interceptor)
		call.end(call.response(reply, err))
		return reply, err
	}
}

func (i *Inspection) tapStreams(intercept grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		taps := i.taps.admitting()
		if taps == nil {
			return intercept(srv, ss, info, handler)
		}
		call := i.beginTapped(ss.Context(), taps, info.FullMethod)
		err := intercept(srv, tappedStream{ss, call}, info, handler)
		call.end(err)
		return err
	}
}
