package conformance_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

func TestConformanceOfUnknownMethods(t *testing.T) {
	conform(t, cases{
		"a method or service that is not there is Unimplemented": func(b *rig) {
			client, conn := b.start(service{})
			for method, message := range map[string]string{
				"/grpc.testing.TestService/None": "unknown method None for service grpc.testing.TestService",
				"/no.such.Service/Method":        "unknown service no.such.Service",
				"/grpc.testing.TestService/":     "unknown method  for service grpc.testing.TestService",
				"//Method":                       "unknown service ",
				"//":                             "unknown service ",
				"/a/b/c":                         "unknown service a/b",
			} {
				tr := b.track(method)
				tr.fails("call", conn.Invoke(b.ctx, method, request(""), reply("")), codes.Unimplemented, message)
				stream, err := conn.NewStream(b.ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
				tr.succeeds("begin", err)
				tr.fails("receive", stream.RecvMsg(reply("")), codes.Unimplemented, message)
			}
			_, err := client.EmptyCall(b.ctx, &testpb.Empty{})
			b.client.fails("method that is not implemented", err, codes.Unimplemented, "method EmptyCall not implemented")
			stream, err := client.HalfDuplexCall(b.ctx)
			b.client.succeeds("begin", err)
			_, err = stream.Recv()
			b.client.fails("stream that is not implemented", err, codes.Unimplemented, "method HalfDuplexCall not implemented")
		},
		"a method name without both slashes is malformed": func(b *rig) {
			_, conn := b.start(service{})
			for _, method := range []string{"x", "/x", "", "/", "x/y", "grpc.testing.TestService/UnaryCall"} {
				tr := b.track(method)
				err := conn.Invoke(b.ctx, method, request(""), reply(""))
				tr.fails("call", err, codes.Unimplemented, fmt.Sprintf("malformed method name: %q", method))
				stream, err := conn.NewStream(b.ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
				tr.succeeds("begin", err)
				tr.fails("receive", stream.RecvMsg(reply("")), codes.Unimplemented, fmt.Sprintf("malformed method name: %q", method))
			}
		},
		"a method name with control characters is not sent": func(b *rig) {
			_, conn := b.start(service{})
			for _, method := range []string{"/no.such.Service/Method\nforged", "/\x00/Method", "/no.such.Service/\x7f"} {
				const message = "stream terminated by RST_STREAM with error code: PROTOCOL_ERROR"
				tr := b.track(method)
				err := conn.Invoke(b.ctx, method, request(""), reply(""))
				tr.fails("call", err, codes.Internal, message)
				stream, err := conn.NewStream(b.ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
				tr.succeeds("begin", err)
				tr.fails("receive", stream.RecvMsg(reply("")), codes.Internal, message)
			}
		},
		"an unknown method comes with nothing else": func(b *rig) {
			_, conn := b.start(service{})
			var header, trailer metadata.MD
			err := conn.Invoke(b.ctx, "/no.such.Service/Method", request(large), reply(""), grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.fails("call", err, codes.Unimplemented, "unknown service no.such.Service")
			b.client.is("header", header, metadata.MD(nil))
			b.client.is("trailer", trailer, metadata.MD{"content-type": {"application/grpc"}})
		},
		"interceptors do not see unknown methods": func(b *rig) {
			b.serve(service{}, runtime.UnaryInterceptor(
				func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
					b.Error("the interceptor was called")
					return nil, nil
				}))
			_, conn := b.dial()
			b.client.fails("call", conn.Invoke(b.ctx, "/no.such.Service/Method", request(""), reply("")), codes.Unimplemented, "unknown service no.such.Service")
		},
	})
}

// Generated code keeps to the kind of a method; other callers need not.
func TestConformanceOfCardinality(t *testing.T) {
	var (
		unary  = &grpc.StreamDesc{}
		gather = &grpc.StreamDesc{ClientStreams: true}
		list   = &grpc.StreamDesc{ServerStreams: true}
		chat   = &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	)
	begin := func(b *rig, conn *runtime.ClientConn, desc *grpc.StreamDesc, method string) grpc.ClientStream {
		b.Helper()
		stream, err := conn.NewStream(b.ctx, desc, method)
		b.client.succeeds("begin", err)
		return stream
	}
	conform(t, cases{
		"a client stream's handler may return no reply": func(b *rig) {
			client, _ := b.start(service{gather: func(stream gatherServer) error { return nil }})
			stream, err := client.StreamingInputCall(b.ctx)
			b.client.succeeds("begin", err)
			_, err = stream.CloseAndRecv()
			b.client.fails("receive", err, codes.Internal, "cardinality violation: received no response message from non-server-streaming RPC")
		},
		"a client stream's handler may send two replies": func(b *rig) {
			client, _ := b.start(service{gather: func(stream gatherServer) error {
				b.server.succeeds("send", stream.SendMsg(&testpb.StreamingInputCallResponse{}))
				b.server.saw("send again", b.outcome(stream.SendMsg(&testpb.StreamingInputCallResponse{})))
				return nil
			}})
			stream, err := client.StreamingInputCall(b.ctx)
			b.client.succeeds("begin", err)
			_, err = stream.CloseAndRecv()
			b.client.fails("receive", err, codes.Internal, "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message")
		},
		"a client stream's error comes with or without a reply": func(b *rig) {
			client, _ := b.start(service{gather: func(stream gatherServer) error {
				b.server.succeeds("send", stream.SendAndClose(&testpb.StreamingInputCallResponse{}))
				return errNotFound
			}})
			stream, err := client.StreamingInputCall(b.ctx)
			b.client.succeeds("begin", err)
			_, err = stream.CloseAndRecv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
		},
		"a unary method can be called as a stream": func(b *rig) {
			_, conn := b.start(service{})
			for _, desc := range []*grpc.StreamDesc{unary, list, chat} {
				stream := begin(b, conn, desc, unaryMethod)
				b.client.succeeds("send", stream.SendMsg(request("hello")))
				b.client.succeeds("half-close", stream.CloseSend())
				resp := reply("")
				b.client.succeeds("receive", stream.RecvMsg(resp))
				b.client.is("reply", resp, reply("hello"))
				b.client.ends("receive at the end", stream.RecvMsg(resp))
			}
		},
		"a unary method gets one request": func(b *rig) {
			_, conn := b.start(service{})
			stream := begin(b, conn, chat, unaryMethod)
			b.client.succeeds("half-close", stream.CloseSend())
			b.client.fails("receive without a request", stream.RecvMsg(reply("")), codes.Internal, "cardinality violation: received no request message from non-client-streaming RPC")

			stream = begin(b, conn, chat, unaryMethod)
			b.client.succeeds("send", stream.SendMsg(request("one")))
			b.client.succeeds("send again", stream.SendMsg(request("two")))
			b.client.succeeds("half-close", stream.CloseSend())
			b.client.fails("receive after two requests", stream.RecvMsg(reply("")), codes.Internal, "cardinality violation: received multiple request messages for non-client-streaming RPC")
		},
		"a client that announces one request sends one": func(b *rig) {
			_, conn := b.start(service{})
			stream := begin(b, conn, unary, unaryMethod)
			b.client.succeeds("send", stream.SendMsg(request("one")))
			err := stream.SendMsg(request("two"))
			b.client.fails("send again", err, codes.Internal, "SendMsg called after CloseSend")
		},
		"a server stream gets one request": func(b *rig) {
			_, conn := b.start(service{})
			stream := begin(b, conn, chat, listMethod)
			b.client.succeeds("half-close", stream.CloseSend())
			b.client.fails("receive without a request", stream.RecvMsg(outgoing("")), codes.Internal, "cardinality violation: received no request message from non-client-streaming RPC")

			stream = begin(b, conn, chat, listMethod)
			b.client.succeeds("send", stream.SendMsg(incoming("")))
			b.client.succeeds("send again", stream.SendMsg(incoming("")))
			b.client.succeeds("half-close", stream.CloseSend())
			b.client.fails("receive after two requests", stream.RecvMsg(outgoing("")), codes.Internal, "cardinality violation: received multiple request messages for non-client-streaming RPC")
		},
		"a server stream called as unary has one response": func(b *rig) {
			_, conn := b.start(service{})
			for n, message := range map[int]string{
				0: "cardinality violation: received no response message from non-server-streaming RPC",
				2: "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message",
			} {
				req := &testpb.StreamingOutputCallRequest{ResponseParameters: slices.Repeat([]*testpb.ResponseParameters{{Size: 1}}, n)}
				b.track(fmt.Sprint(n)).fails("call", conn.Invoke(b.ctx, listMethod, req, outgoing("")), codes.Internal, message)
			}
			req := &testpb.StreamingOutputCallRequest{ResponseParameters: []*testpb.ResponseParameters{{Size: 1}}}
			resp := outgoing("")
			b.client.succeeds("call", conn.Invoke(b.ctx, listMethod, req, resp))
			b.client.is("response", resp, outgoing("x"))
		},
		"a conversation can be held as any other kind": func(b *rig) {
			_, conn := b.start(service{})
			resp := outgoing("")
			b.client.succeeds("call", conn.Invoke(b.ctx, chatMethod, incoming("hello"), resp))
			b.client.is("reply", resp, outgoing("hello"))
			stream := begin(b, conn, list, chatMethod)
			b.client.succeeds("send", stream.SendMsg(incoming("hello")))
			b.client.succeeds("half-close", stream.CloseSend())
			b.client.succeeds("receive", stream.RecvMsg(resp))
			b.client.ends("receive at the end", stream.RecvMsg(resp))
			stream = begin(b, conn, gather, chatMethod)
			b.client.succeeds("send", stream.SendMsg(incoming("hello")))
			b.client.succeeds("half-close", stream.CloseSend())
			b.client.succeeds("receive", stream.RecvMsg(resp))
		},
		"a client stream can be called as unary": func(b *rig) {
			_, conn := b.start(service{})
			resp := &testpb.StreamingInputCallResponse{}
			b.client.succeeds("call", conn.Invoke(b.ctx, gatherMethod, part("four"), resp))
			b.client.is("reply", resp.GetAggregatedPayloadSize(), int32(4))
		},
	})
}
