package conformance_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

func TestConformanceOfMessageSizes(t *testing.T) {
	const defaultLimit = 4 << 20
	tooLarge := func(size, limit int) string {
		return fmt.Sprintf("grpc: received message larger than max (%d vs. %d)", size, limit)
	}
	conform(t, cases{
		"a request may be as large as the server takes": func(b *rig) {
			client, _ := b.start(service{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) { return reply(""), nil }})
			_, err := client.UnaryCall(b.ctx, request(textFor(defaultLimit)))
			b.client.succeeds("at the limit", err)
			_, err = client.UnaryCall(b.ctx, request(textFor(defaultLimit+1)))
			b.client.fails("one more", err, codes.ResourceExhausted, tooLarge(defaultLimit+1, defaultLimit))
			_, err = client.UnaryCall(b.ctx, request(textFor(3*defaultLimit)))
			b.client.fails("much more", err, codes.ResourceExhausted, tooLarge(3*defaultLimit, defaultLimit))
			_, err = client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("next call", err)
		},
		"the server's limit can be set": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				for {
					if _, err := stream.Recv(); err != nil {
						b.server.fails("receive", err, codes.ResourceExhausted, tooLarge(1001, 1000))
						return err
					}
				}
			}}, runtime.MaxRecvMsgSize(1000))
			_, err := client.UnaryCall(b.ctx, request(textFor(1000)))
			b.client.succeeds("at the limit", err)
			_, err = client.UnaryCall(b.ctx, request(textFor(1001)))
			b.client.fails("one more", err, codes.ResourceExhausted, tooLarge(1001, 1000))
			stream := b.chat(client)
			b.client.succeeds("send", stream.Send(incoming(textFor(1000))))
			b.client.succeeds("send one more", stream.Send(incoming(textFor(1001))))
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.ResourceExhausted, tooLarge(1001, 1000))
		},
		"the server's limit can be larger than usual": func(b *rig) {
			const limit = 16 << 20
			b.serve(service{}, runtime.MaxRecvMsgSize(limit))
			client, _ := b.dial(runtime.WithMaxRecvMsgSize(limit))
			text := textFor(limit)
			resp, err := client.UnaryCall(b.ctx, request(text))
			b.client.succeeds("call", err)
			b.client.is("reply is the request", textOf(resp) == text, true)
			stream := b.chat(client)
			b.client.succeeds("send", stream.Send(incoming(text)))
			m, err := stream.Recv()
			b.client.succeeds("receive", err)
			b.client.is("response is the request", textOf(m) == text, true)
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
		},
		"a reply may be as large as the client takes": func(b *rig) {
			client, _ := b.start(service{unary: func(_ context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				return reply(textFor(int(req.GetResponseSize()))), nil
			}})
			_, err := client.UnaryCall(b.ctx, &testpb.SimpleRequest{ResponseSize: defaultLimit})
			b.client.succeeds("at the limit", err)
			var header, trailer metadata.MD
			_, err = client.UnaryCall(b.ctx, &testpb.SimpleRequest{ResponseSize: defaultLimit + 1}, grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.fails("one more", err, codes.ResourceExhausted, tooLarge(defaultLimit+1, defaultLimit))
			b.client.is("header", header, metadata.MD{"content-type": {"application/grpc"}})
			_, err = client.UnaryCall(b.ctx, &testpb.SimpleRequest{ResponseSize: 10})
			b.client.succeeds("next call", err)
		},
		"the client's limit can be set": func(b *rig) {
			b.serve(service{chat: func(stream chatServer) error {
				b.server.succeeds("send", stream.Send(outgoing(textFor(1000))))
				b.server.succeeds("send", stream.Send(outgoing(textFor(1001))))
				<-stream.Context().Done()
				b.server.is("error", stream.Context().Err(), context.Canceled)
				return nil
			}})
			client, _ := b.dial(runtime.WithMaxRecvMsgSize(1000))
			_, err := client.UnaryCall(b.ctx, request(textFor(1000)))
			b.client.succeeds("at the limit", err)
			_, err = client.UnaryCall(b.ctx, request(textFor(1001)))
			b.client.fails("one more", err, codes.ResourceExhausted, tooLarge(1001, 1000))
			stream := b.chat(client)
			_, err = stream.Recv()
			b.client.succeeds("receive", err)
			_, err = stream.Recv()
			b.client.fails("receive one more", err, codes.ResourceExhausted, tooLarge(1001, 1000))
			b.client.ends("send", stream.Send(incoming("")))
		},
		"limits can be set for one call": func(b *rig) {
			client, _ := b.start(service{})
			_, err := client.UnaryCall(b.ctx, request(textFor(101)), grpc.MaxCallRecvMsgSize(100))
			b.client.fails("reply", err, codes.ResourceExhausted, tooLarge(101, 100))
			_, err = client.UnaryCall(b.ctx, request(textFor(100)), grpc.MaxCallRecvMsgSize(100))
			b.client.succeeds("reply at the limit", err)
			_, err = client.UnaryCall(b.ctx, request(textFor(101)), grpc.MaxCallSendMsgSize(100))
			b.client.fails("request", err, codes.ResourceExhausted, "trying to send message larger than max (101 vs. 100)")
			_, err = client.UnaryCall(b.ctx, request(textFor(100)), grpc.MaxCallSendMsgSize(100))
			b.client.succeeds("request at the limit", err)
			stream := b.chat(client, grpc.MaxCallSendMsgSize(100), grpc.MaxCallRecvMsgSize(50))
			b.client.succeeds("send", stream.Send(incoming(textFor(50))))
			_, err = stream.Recv()
			b.client.succeeds("receive", err)
			b.client.succeeds("send", stream.Send(incoming(textFor(100))))
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.ResourceExhausted, tooLarge(100, 50))
			stream = b.chat(client, grpc.MaxCallSendMsgSize(100))
			b.client.fails("send", stream.Send(incoming(textFor(101))), codes.ResourceExhausted, "trying to send message larger than max (101 vs. 100)")
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.ResourceExhausted, "trying to send message larger than max (101 vs. 100)")
		},
		"an empty message has no size": func(b *rig) {
			client, _ := b.start(service{})
			_, err := client.UnaryCall(b.ctx, &testpb.SimpleRequest{}, grpc.MaxCallRecvMsgSize(0), grpc.MaxCallSendMsgSize(0))
			b.client.succeeds("call", err)
		},
	})
}

// textFor returns the text of a message that has n bytes when it is sent. It is for sizes of
// which the length prefixes are the same as those of n.
func textFor(n int) string {
	over := proto.Size(request(strings.Repeat("x", n))) - n
	text := strings.Repeat("x", n-over)
	for proto.Size(request(text)) < n {
		text += "x"
	}
	return text
}
