package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestConformanceOfInterceptors(t *testing.T) {
	conform(t, cases{
		"interceptors are called from the outermost in, and see everything": func(b *rig) {
			server := func(name string) (grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor) {
				note := func(ctx context.Context, method string) {
					md, _ := metadata.FromIncomingContext(ctx)
					b.server.saw(name+" sees", only(md, "client", "inner", "outer"))
					b.server.saw(name+" method", method)
				}
				return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
						note(ctx, info.FullMethod)
						_, isService := info.Server.(service)
						b.server.is("server", isService, true)
						b.server.succeeds("set header", grpc.SetHeader(ctx, metadata.Pairs("server", name)))
						resp, err := next(ctx, req)
						b.server.saw(name+" result", b.outcome(err))
						b.server.is(name+" reply", textOf(resp.(*testpb.SimpleResponse)), "hello")
						return resp, err
					}, func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
						note(ss.Context(), info.FullMethod)
						b.server.is("kinds", []bool{info.IsClientStream, info.IsServerStream}, []bool{true, true})
						b.server.succeeds("set header", ss.SetHeader(metadata.Pairs("server", name)))
						err := next(srv, ss)
						b.server.saw(name+" result", b.outcome(err))
						return err
					}
			}
			client := func(name string) (grpc.UnaryClientInterceptor, grpc.StreamClientInterceptor) {
				return func(ctx context.Context, method string, req, resp any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
						b.client.saw(name+" method", method)
						err := next(metadata.AppendToOutgoingContext(ctx, name, "was here"), method, req, resp, cc, opts...)
						b.client.saw(name+" result", b.outcome(err))
						return err
					}, func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
						b.client.saw(name+" method", method)
						b.client.saw(name+" stream", desc.StreamName)
						stream, err := next(metadata.AppendToOutgoingContext(ctx, name, "was here"), desc, cc, method, opts...)
						b.client.saw(name+" result", b.outcome(err))
						return stream, err
					}
			}
			serverOuter, serverOuterStream := server("outer")
			serverInner, serverInnerStream := server("inner")
			clientOuter, clientOuterStream := client("outer")
			clientInner, clientInnerStream := client("inner")
			b.serve(service{}, runtime.UnaryInterceptor(serverOuter, serverInner),
				runtime.StreamInterceptor(serverOuterStream), runtime.StreamInterceptor(serverInnerStream))
			c, _ := b.dial(runtime.WithUnaryInterceptor(clientOuter), runtime.WithUnaryInterceptor(clientInner),
				runtime.WithStreamInterceptor(clientOuterStream, clientInnerStream))
			ctx := metadata.AppendToOutgoingContext(b.ctx, "client", "was here")
			var header metadata.MD
			_, err := c.UnaryCall(ctx, request("hello"), grpc.Header(&header))
			b.client.succeeds("call", err)
			b.client.is("header", only(header, "server"), metadata.MD{"server": {"outer", "inner"}})
			stream := b.chatWith(ctx, c)
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
			header, err = stream.Header()
			b.client.succeeds("header", err)
			b.client.saw("header", header)
		},
		"a server's interceptor may answer for the handler": func(b *rig) {
			b.serve(service{
				unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.Error("the handler was called")
					return nil, nil
				},
				chat: func(chatServer) error {
					b.Error("the handler was called")
					return nil
				},
			}, runtime.UnaryInterceptor(func(_ context.Context, req any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
				if textOf(req.(*testpb.SimpleRequest)) == "fail" {
					return nil, errNotFound
				}
				return reply("from the interceptor"), nil
			}), runtime.StreamInterceptor(func(_ any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
				b.server.succeeds("send", ss.SendMsg(outgoing("from the interceptor")))
				return errNotFound
			}))
			client, _ := b.dial()
			resp, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, reply("from the interceptor"))
			_, err = client.UnaryCall(b.ctx, request("fail"))
			b.client.fails("call", err, codes.NotFound, "no such thing")
			stream := b.chat(client)
			b.receives(stream, "from the interceptor")
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
		},
		"a server's interceptor may change context, request, reply and error": func(b *rig) {
			type key struct{}
			b.serve(service{unary: func(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				b.server.is("value", ctx.Value(key{}), "value")
				b.server.is("request", textOf(req), "changed")
				if _, ok := ctx.Deadline(); ok {
					return nil, errors.New("the handler's error")
				}
				return reply("unchanged"), nil
			}}, runtime.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				if textOf(req.(*testpb.SimpleRequest)) == "fail" {
					var cancel func()
					ctx, cancel = context.WithTimeout(ctx, time.Hour)
					defer cancel()
				}
				resp, err := next(context.WithValue(ctx, key{}, "value"), request("changed"))
				if err != nil {
					return nil, status.Error(codes.DataLoss, "instead of: "+err.Error())
				}
				return reply("not " + textOf(resp.(*testpb.SimpleResponse))), nil
			}))
			client, _ := b.dial()
			resp, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, reply("not unchanged"))
			_, err = client.UnaryCall(b.ctx, request("fail"))
			b.client.fails("call", err, codes.DataLoss, "instead of: the handler's error")
		},
		"a server's interceptor may wrap the stream": func(b *rig) {
			b.serve(service{}, runtime.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
				return next(srv, &notingServerStream{ss, b.server})
			}))
			client, _ := b.dial()
			stream := b.chat(client)
			b.client.succeeds("send", stream.Send(incoming("hello")))
			b.receives(stream, "hello")
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
		},
		"a client's interceptor may answer for the server": func(b *rig) {
			b.serve(service{})
			client, _ := b.dial(runtime.WithUnaryInterceptor(
				func(_ context.Context, _ string, _, resp any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
					resp.(*testpb.SimpleResponse).Payload = payload("from the interceptor")
					return nil
				}), runtime.WithStreamInterceptor(
				func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer, ...grpc.CallOption) (grpc.ClientStream, error) {
					return nil, errors.New("not today")
				}))
			resp, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, reply("from the interceptor"))
			_, err = client.FullDuplexCall(b.ctx)
			b.client.fails("begin", err, codes.Unknown, "not today")
			b.client.is("the error is not wrapped", err.Error(), "not today")
		},
		"a client's interceptor may call again, and change the call": func(b *rig) {
			b.serve(service{unary: func(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				if !slices.Equal(md["attempt"], []string{"2"}) {
					return nil, status.Error(codes.Unavailable, "not yet")
				}
				return reply(textOf(req)), nil
			}})
			client, _ := b.dial(runtime.WithUnaryInterceptor(
				func(ctx context.Context, method string, _, resp any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
					var err error
					for attempt := range 3 {
						ctx := metadata.AppendToOutgoingContext(ctx, "attempt", fmt.Sprint(attempt))
						err = next(ctx, method, request("changed"), resp, cc, append(opts, grpc.WaitForReady(true))...)
						b.client.saw("attempt", b.outcome(err))
						if err == nil {
							break
						}
					}
					return err
				}))
			resp, err := client.UnaryCall(b.ctx, request("original"))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, reply("changed"))
		},
		"a client's interceptor may wrap the stream": func(b *rig) {
			b.serve(service{})
			client, _ := b.dial(runtime.WithStreamInterceptor(
				func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
					stream, err := next(ctx, desc, cc, method, opts...)
					return &notingClientStream{stream, b.client}, err
				}))
			stream := b.chat(client)
			b.client.succeeds("send", stream.Send(incoming("hello")))
			b.receives(stream, "hello")
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
		},
		"a client's interceptor is given a connection": func(b *rig) {
			b.serve(service{})
			client, _ := b.dial(runtime.WithUnaryInterceptor(
				func(ctx context.Context, method string, req, resp any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
					b.client.is("connection is there", cc != nil, true)
					return next(ctx, method, req, resp, cc, opts...)
				}))
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
		},
		"a panic of a handler can be recovered": func(b *rig) {
			b.serve(service{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) { panic("oh no") }},
				runtime.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (_ any, err error) {
					defer func() { err = status.Errorf(codes.Internal, "panic: %v", recover()) }()
					return next(ctx, req)
				}))
			client, _ := b.dial()
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.Internal, "panic: oh no")
		},
	})
}

// notingServerStream and notingClientStream note what goes through them.

type notingServerStream struct {
	grpc.ServerStream
	track *track
}

func (s *notingServerStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	s.track.saw("send "+textOf(m.(*testpb.StreamingOutputCallResponse)), s.track.b.outcome(err))
	return err
}

func (s *notingServerStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	s.track.saw("receive "+textOf(m.(*testpb.StreamingOutputCallRequest)), s.track.b.outcome(err))
	return err
}

type notingClientStream struct {
	grpc.ClientStream
	track *track
}

func (s *notingClientStream) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	s.track.saw("send "+textOf(m.(*testpb.StreamingOutputCallRequest)), s.track.b.outcome(err))
	return err
}

func (s *notingClientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	s.track.saw("receive "+textOf(m.(*testpb.StreamingOutputCallResponse)), s.track.b.outcome(err))
	return err
}
