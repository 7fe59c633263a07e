package interop

import (
	"context"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// connectRegistrar serves what grpc's stubs register with connect-go.
type connectRegistrar struct{ server *connect.Server }

// RegisterService adds a service; generated RegisterXxxServer functions call it.
func (r connectRegistrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	for _, m := range desc.Methods {
		r.server.Register(connect.Method{
			Spec: connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: "/" + desc.ServiceName + "/" + m.MethodName},
			Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
				s := newConnectServerStream(ctx, stream)
				reply, err := m.Handler(impl, s.ctx, s.RecvMsg, nil)
				if err != nil {
					return fromStatus(err)
				}
				return stream.Send(reply)
			},
		})
	}
	for _, m := range desc.Streams {
		r.server.Register(connect.Method{
			Spec: connect.Spec{StreamType: connect.StreamTypeBidi, Procedure: "/" + desc.ServiceName + "/" + m.StreamName},
			Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
				return fromStatus(m.Handler(impl, newConnectServerStream(ctx, stream)))
			},
		})
	}
}

// handler is for an http.Server that speaks HTTP/2 without TLS.
func (r connectRegistrar) handler() http.Handler {
	mux := http.NewServeMux()
	connecthttp.Mount(mux, r.server)
	return mux
}

// connectServerStream is one call; it also takes what grpc.SetHeader and its like set.
type connectServerStream struct {
	ctx    context.Context
	stream connect.ServerStream
	info   *connect.CallInfo
}

func newConnectServerStream(ctx context.Context, stream connect.ServerStream) *connectServerStream {
	info, _ := connect.CallInfoForServerContext(ctx)
	s := &connectServerStream{stream: stream, info: info}
	ctx = metadata.NewIncomingContext(ctx, toMetadata(info.RequestHeader()))
	s.ctx = grpc.NewContextWithServerTransportStream(ctx, unaryStream{s})
	return s
}

func (s *connectServerStream) Context() context.Context { return s.ctx }
func (s *connectServerStream) SendMsg(m any) error      { return s.stream.Send(m) }

func (s *connectServerStream) SetHeader(md metadata.MD) error {
	fill(s.info.ResponseHeader(), md)
	return nil
}

func (s *connectServerStream) SendHeader(md metadata.MD) error {
	fill(s.info.ResponseHeader(), md)
	return s.stream.SendHeaders()
}

func (s *connectServerStream) SetTrailer(md metadata.MD) { fill(s.info.ResponseTrailer(), md) }

func (s *connectServerStream) RecvMsg(m any) error {
	err := s.stream.Receive(m.(proto.Message))
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return err
}

// unaryStream is what grpc.SetHeader looks for in a context.
type unaryStream struct{ *connectServerStream }

func (s unaryStream) Method() string { return s.info.Spec.Procedure }
func (s unaryStream) SetTrailer(md metadata.MD) error {
	s.connectServerStream.SetTrailer(md)
	return nil
}

// fromStatus makes grpc's error one of connect's, which sends nothing of others.
func fromStatus(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	return connect.NewError(connect.Code(s.Code()), s.Message())
}
