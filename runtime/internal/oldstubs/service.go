package oldstubs

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/methodname"
)

// Describe returns the services that register registers on a server, in the order of their names, without
// the type that a handler must have, which the compiler has checked. No method of a service is called.
//
// A *grpc.Server tells the names of methods only. An interceptor gets the handler of a method as well, but
// not before a call. So each method gets one call, with no request, which ends in the interceptor.
func Describe(register func(*grpc.Server)) ([]*grpc.ServiceDesc, error) {
	p := &prober{found: make(chan method, 1)}
	p.server = grpc.NewServer(
		grpc.ForceServerCodecV2(unreadable{}),
		grpc.UnaryInterceptor(p.unary),
		grpc.StreamInterceptor(p.stream),
		grpc.WaitForHandlers(true),
	)
	defer p.server.Stop()
	register(p.server)

	services := p.server.GetServiceInfo()
	var descs []*grpc.ServiceDesc
	for _, name := range slices.Sorted(maps.Keys(services)) {
		desc, err := p.describe(name, services[name])
		if err != nil {
			return nil, err
		}
		descs = append(descs, desc)
	}
	return descs, nil
}

func (p *prober) describe(name string, service grpc.ServiceInfo) (*grpc.ServiceDesc, error) {
	desc := &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Metadata: service.Metadata}
	byName := func(a, b grpc.MethodInfo) int { return cmp.Compare(a.Name, b.Name) }
	for _, info := range slices.SortedFunc(slices.Values(service.Methods), byName) {
		m, err := p.probe(methodname.Full(name, info.Name))
		switch {
		case err != nil:
			return nil, err
		case m.unary != nil:
			desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: info.Name, Handler: m.handleUnary})
		default:
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName:    info.Name,
				Handler:       m.stream,
				ClientStreams: info.IsClientStream,
				ServerStreams: info.IsServerStream,
			})
		}
	}
	return desc, nil
}

// method is what an interceptor is told of a method.
type method struct {
	unary   grpc.UnaryHandler // nil for a stream
	request reflect.Type      // of a unary method: what its request points to
	name    string            // of a unary method: its full name

	stream grpc.StreamHandler
}

// handleUnary does what the handler of a unary method in generated code does.
func (m method) handleUnary(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	request := reflect.New(m.request).Interface()
	if err := decode(request); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return m.unary(ctx, request)
	}
	return interceptor(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: m.name}, m.unary)
}

// prober calls the methods of a server, each of whose interceptors ends the call.
type prober struct {
	server *grpc.Server
	found  chan method // has room for one
}

var errProbed = status.Error(codes.Aborted, "the call has served its purpose")

func (p *prober) unary(_ context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	p.found <- method{unary: handler, request: reflect.TypeOf(request).Elem(), name: info.FullMethod}
	return nil, errProbed
}

func (p *prober) stream(_ any, _ grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	p.found <- method{stream: handler}
	return errProbed
}

// probe calls a method. ServeHTTP, which grpc calls experimental, saves a connection and its goroutines, and
// returns when the call has ended.
func (p *prober) probe(fullMethod string) (method, error) {
	empty := make([]byte, 5) // a message: no compression, no bytes
	r, err := http.NewRequest(http.MethodPost, fullMethod, io.NopCloser(bytes.NewReader(empty)))
	if err != nil {
		return method{}, fmt.Errorf("read the stubs of %s: %w", fullMethod, err)
	}
	r.ProtoMajor = 2
	r.Header.Set("Content-Type", "application/grpc")
	answer := discard{}
	p.server.ServeHTTP(answer, r)
	select {
	case m := <-p.found:
		return m, nil
	default:
		return method{}, fmt.Errorf("read the stubs of %s: grpc's interceptor was not called, but the call has ended with the message %q", fullMethod, answer.Header().Get("Grpc-Message"))
	}
}

// discard is an [http.ResponseWriter] that keeps the headers.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
func (d discard) Flush()                      {}

// unreadable is a codec that leaves every request as it is. No bytes would be no valid message if a field
// is required.
type unreadable struct{}

func (unreadable) Marshal(any) (mem.BufferSlice, error) { return nil, nil }
func (unreadable) Unmarshal(mem.BufferSlice, any) error { return nil }
func (unreadable) Name() string                         { return "unreadable" }
