// Package nofiles is for calls over HTTP/2, which carries no open files: a message with some is refused before
// anything is sent, because its receiver would find none.
package nofiles

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// becauseOfClient is why a call has come to a server over HTTP/2.
const becauseOfClient = "the client has made it so"

// UnaryServer returns an interceptor that refuses replies with open files. All others are inside it, as they may
// make the reply.
func UnaryServer(inner grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		reply, err := inner(ctx, req, info, next)
		if err != nil {
			filewalk.Discard(reply)
			return reply, err
		}
		if err := filewalk.RefuseOverHTTP2(info.FullMethod, becauseOfClient, reply); err != nil {
			return nil, err
		}
		return reply, nil
	}
}

// StreamServer does the same for streams.
func StreamServer(inner grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if !filewalk.MethodOf(info.FullMethod).InResponse {
			return inner(srv, ss, info, next)
		}
		s := &serverStream{ServerStream: ss, method: info.FullMethod}
		err := inner(srv, s, info, next)
		if s.refusal != nil {
			return s.refusal
		}
		return err
	}
}

type serverStream struct {
	grpc.ServerStream
	method  string
	refusal error
}

// SendMsg ends the call if it refuses a message, as every error of SendMsg does.
func (s *serverStream) SendMsg(m any) error {
	if s.refusal != nil {
		filewalk.Discard(m)
		return s.refusal
	}
	if s.refusal = filewalk.RefuseOverHTTP2(s.method, becauseOfClient, m); s.refusal != nil {
		return s.refusal
	}
	return s.ServerStream.SendMsg(m)
}

// ClientStream begins a stream over HTTP/2 that refuses messages with open files, if the method's requests can
// have some. The reason can be read after "because". A refused message ends the call.
func ClientStream(ctx context.Context, method, because string, begin func(context.Context) (grpc.ClientStream, error)) (grpc.ClientStream, error) {
	if !filewalk.MethodOf(method).InRequest {
		return begin(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := begin(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(stream.Context(), cancel)
	return &clientStream{ClientStream: stream, cancel: cancel, method: method, because: because}, nil
}

type clientStream struct {
	grpc.ClientStream
	cancel          context.CancelFunc
	method, because string
	refusal         atomic.Pointer[error]
}

func (s *clientStream) SendMsg(m any) error {
	if err := s.refusal.Load(); err != nil {
		filewalk.Discard(m)
		return *err
	}
	if err := filewalk.RefuseOverHTTP2(s.method, s.because, m); err != nil {
		s.refusal.Store(&err)
		s.cancel()
		return err
	}
	return s.ClientStream.SendMsg(m)
}

func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if refusal := s.refusal.Load(); err != nil && refusal != nil {
		return *refusal
	}
	return err
}
