package conformance_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

func TestConformanceOfCallKinds(t *testing.T) {
	conform(t, cases{
		"a unary call is answered": func(b *rig) {
			client, _ := b.start(service{})
			resp, err := client.UnaryCall(b.ctx, request("hello"))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, reply("hello"))
		},
		"empty messages are messages": func(b *rig) {
			client, _ := b.start(service{unary: func(_ context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				b.server.is("request", req, &testpb.SimpleRequest{})
				return &testpb.SimpleResponse{}, nil
			}})
			resp, err := client.UnaryCall(b.ctx, &testpb.SimpleRequest{})
			b.client.succeeds("call", err)
			b.client.is("reply", resp, &testpb.SimpleResponse{})

			stream := b.chat(client)
			for range 3 {
				b.client.succeeds("send", stream.Send(&testpb.StreamingOutputCallRequest{}))
				m, err := stream.Recv()
				b.client.succeeds("receive", err)
				b.client.is("message", m, &testpb.StreamingOutputCallResponse{})
			}
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
		},
		"a reply replaces what the caller's message held": func(b *rig) {
			_, conn := b.start(service{})
			resp := reply("old")
			resp.Username = "old"
			b.client.succeeds("call", conn.Invoke(b.ctx, unaryMethod, request("new"), resp))
			b.client.is("reply", resp, reply("new"))
		},
		"a client stream is answered after its end": func(b *rig) {
			client, _ := b.start(service{})
			for _, parts := range [][]string{{"a", "bb", "ccc"}, {""}, nil} {
				stream, err := client.StreamingInputCall(b.ctx)
				b.client.succeeds("begin", err)
				size := 0
				for _, p := range parts {
					b.client.succeeds("send", stream.Send(part(p)))
					size += len(p)
				}
				resp, err := stream.CloseAndRecv()
				b.client.succeeds("receive", err)
				b.client.is("reply", resp.GetAggregatedPayloadSize(), int32(size))
				b.client.ends("receive again", stream.RecvMsg(&testpb.StreamingInputCallResponse{}))
			}
		},
		"a server stream comes in order and ends": func(b *rig) {
			client, _ := b.start(service{})
			for _, sizes := range [][]int32{{1, 20, 300, 70000, 0}, nil} {
				req := &testpb.StreamingOutputCallRequest{}
				for _, size := range sizes {
					req.ResponseParameters = append(req.ResponseParameters, &testpb.ResponseParameters{Size: size})
				}
				stream, err := client.StreamingOutputCall(b.ctx, req)
				b.client.succeeds("begin", err)
				for _, size := range sizes {
					resp, err := stream.Recv()
					b.client.succeeds("receive", err)
					b.client.is("size", int32(len(textOf(resp))), size)
				}
				_, err = stream.Recv()
				b.client.ends("receive at the end", err)
			}
		},
		"a conversation goes to and fro": func(b *rig) {
			client, _ := b.start(service{})
			stream := b.chat(client)
			for _, text := range []string{"one", "", "three"} {
				b.client.succeeds("send", stream.Send(incoming(text)))
				b.receives(stream, text)
			}
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
		},
		"both directions flow at once": func(b *rig) {
			const messages = 2000
			client, _ := b.start(service{chat: func(stream chatServer) error {
				sent := make(chan error, 1)
				go func() { sent <- count(messages, func(text string) error { return stream.Send(outgoing(text)) }) }()
				err := expectCount(messages, func() (string, error) {
					m, err := stream.Recv()
					return textOf(m), err
				})
				b.server.succeeds("receive all", err)
				b.server.succeeds("send all", <-sent)
				return nil
			}})
			stream := b.chat(client)
			sent := make(chan error, 1)
			go func() {
				err := count(messages, func(text string) error { return stream.Send(incoming(text)) })
				if err == nil {
					err = stream.CloseSend()
				}
				sent <- err
			}()
			b.client.succeeds("receive all", expectCount(messages, func() (string, error) {
				m, err := stream.Recv()
				return textOf(m), err
			}))
			b.client.succeeds("send all", <-sent)
		},
		"the server may speak first": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				b.server.succeeds("send", stream.Send(outgoing("welcome")))
				m, err := stream.Recv()
				b.server.succeeds("receive", err)
				b.server.is("message", textOf(m), "thanks")
				return nil
			}})
			stream := b.chat(client)
			b.receives(stream, "welcome")
			b.client.succeeds("send", stream.Send(incoming("thanks")))
			b.receivesEnd(stream)
		},
		"the handler of a stream runs before the client has sent anything": func(b *rig) {
			entered := make(chan struct{})
			client, _ := b.start(service{
				chat: func(chatServer) error {
					entered <- struct{}{}
					return nil
				},
				gather: func(stream gatherServer) error {
					entered <- struct{}{}
					return stream.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: 5})
				},
			})
			stream := b.chat(client)
			await(b, "the conversation to begin", entered)
			b.receivesEnd(stream)
			gather, err := client.StreamingInputCall(b.ctx)
			b.client.succeeds("begin", err)
			await(b, "the client stream to begin", entered)
			resp, err := gather.CloseAndRecv()
			b.client.succeeds("receive", err)
			b.client.is("reply", resp.GetAggregatedPayloadSize(), int32(5))
		},
		"a client may send nothing": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				_, err := stream.Recv()
				b.server.ends("receive", err)
				_, err = stream.Recv()
				b.server.ends("receive again", err)
				return stream.Send(outgoing("nothing came"))
			}})
			stream := b.chat(client)
			b.client.succeeds("half-close", stream.CloseSend())
			b.receives(stream, "nothing came")
			b.receivesEnd(stream)
		},
		"responses follow the end of the requests": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				for {
					if _, err := stream.Recv(); err != nil {
						b.server.ends("receive", err)
						break
					}
				}
				return count(3, func(text string) error { return stream.Send(outgoing(text)) })
			}})
			stream := b.chat(client)
			b.client.succeeds("send", stream.Send(incoming("a")))
			b.client.succeeds("half-close", stream.CloseSend())
			for i := range 3 {
				b.receives(stream, fmt.Sprint(i))
			}
			b.receivesEnd(stream)
		},
		"ends of a stream may be called again": func(b *rig) {
			client, _ := b.start(service{})
			stream := b.chat(client)
			b.client.succeeds("half-close", stream.CloseSend())
			b.client.succeeds("half-close again", stream.CloseSend())
			b.receivesEnd(stream)
			b.receivesEnd(stream)
			b.client.succeeds("half-close after the end", stream.CloseSend())
		},
		"sending after the half-close fails the call": func(b *rig) {
			entered := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				close(entered)
				<-stream.Context().Done()
				b.server.is("error", stream.Context().Err(), context.Canceled)
				return nil
			}})
			stream := b.chat(client)
			await(b, "the handler to begin", entered)
			b.client.succeeds("half-close", stream.CloseSend())
			b.client.fails("send", stream.Send(incoming("late")), codes.Internal, "SendMsg called after CloseSend")
			_, err := stream.Recv()
			b.client.fails("receive", err, codes.Internal, "SendMsg called after CloseSend")
		},
		"sending after the status is EOF": func(b *rig) {
			client, _ := b.start(service{chat: func(chatServer) error { return nil }})
			stream := b.chat(client)
			b.receivesEnd(stream)
			b.client.ends("send", stream.Send(incoming("late")))
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
		},
		"methods of a server's stream after the handler returned": func(b *rig) {
			left, checked := make(chan struct{}), make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				b.handlers.Add(1)
				go func() {
					defer b.handlers.Add(-1)
					<-left
					defer close(checked)
					b.server.fails("send", stream.Send(outgoing("late")), codes.Canceled, "context canceled")
					b.server.saw("set header", b.outcome(stream.SetHeader(metadata.Pairs("k", "v"))))
					b.server.saw("send header", b.outcome(stream.SendHeader(nil)))
					stream.SetTrailer(metadata.Pairs("k", "v"))
					_, err := stream.Recv()
					b.server.fails("receive", err, codes.Canceled, "context canceled")
				}()
				return nil
			}})
			stream := b.chat(client)
			b.receivesEnd(stream)
			close(left)
			await(b, "the goroutine", checked)
			b.client.is("trailer", stream.Trailer(), metadata.MD{"content-type": {"application/grpc"}})
		},
	})
}

// chat begins a conversation.
func (b *rig) chat(client testpb.TestServiceClient, opts ...grpc.CallOption) chatClient {
	b.Helper()
	return b.chatWith(b.ctx, client, opts...)
}

func (b *rig) chatWith(ctx context.Context, client testpb.TestServiceClient, opts ...grpc.CallOption) chatClient {
	b.Helper()
	stream, err := client.FullDuplexCall(ctx, opts...)
	b.client.succeeds("begin", err)
	if err != nil {
		b.FailNow()
	}
	return stream
}

// receives checks what comes next in a conversation.
func (b *rig) receives(stream chatClient, text string) {
	b.Helper()
	m, err := stream.Recv()
	b.client.succeeds("receive", err)
	b.client.is("message", m, outgoing(text))
}

func (b *rig) receivesEnd(stream chatClient) {
	b.Helper()
	_, err := stream.Recv()
	b.client.ends("receive at the end", err)
}

// count sends the numbers from 0 to n-1.
func count(n int, send func(string) error) error {
	for i := range n {
		if err := send(fmt.Sprint(i)); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

// expectCount receives the numbers from 0 to n-1 and the end.
func expectCount(n int, receive func() (string, error)) error {
	for i := range n {
		if text, err := receive(); err != nil || text != fmt.Sprint(i) {
			return fmt.Errorf("message %d is %q, %w", i, text, err)
		}
	}
	if text, err := receive(); err != io.EOF {
		return fmt.Errorf("at the end came %q, %w", text, err)
	}
	return nil
}
