package conformance_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

func TestConformanceOfCancellation(t *testing.T) {
	cancelled := func(b *rig, what string, err error) {
		b.Helper()
		b.client.fails(what, err, codes.Canceled, "context canceled")
	}
	// seesEnd is what a handler sees of a call that the client has cancelled.
	seesEnd := func(b *rig, ctx context.Context) {
		b.server.is("error", ctx.Err() == context.Canceled, true)
		b.server.is("cause", context.Cause(ctx) == context.Canceled, true)
	}
	conform(t, cases{
		"a call that is cancelled already is not made": func(b *rig) {
			client, _ := b.start(service{
				unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.Error("the call was made")
					return reply(""), nil
				},
				chat: func(chatServer) error {
					b.Error("the stream was made")
					return nil
				},
			})
			ctx, cancel := context.WithCancel(b.ctx)
			cancel()
			_, err := client.UnaryCall(ctx, request(""))
			cancelled(b, "call", err)
			_, err = client.FullDuplexCall(ctx)
			cancelled(b, "begin", err)
		},
		"cancelling a call ends its handler's context": func(b *rig) {
			entered, done := make(chan struct{}), make(chan struct{})
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				defer close(done)
				close(entered)
				<-ctx.Done()
				seesEnd(b, ctx)
				return reply("too late"), nil
			}})
			ctx, cancel := context.WithCancelCause(b.ctx)
			go func() {
				await(b, "the handler to begin", entered)
				cancel(errors.New("a reason of the client's own"))
			}()
			resp, err := client.UnaryCall(ctx, request(""))
			cancelled(b, "call", err)
			b.client.is("reply", resp, (*testpb.SimpleResponse)(nil))
			await(b, "the handler to end", done)
		},
		"a handler that only asks sees the end, too": func(b *rig) {
			entered, done := make(chan struct{}), make(chan struct{})
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				defer close(done)
				close(entered)
				b.until("the context to end", func() bool { return ctx.Err() != nil })
				seesEnd(b, ctx)
				return reply(""), nil
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			go func() {
				await(b, "the handler to begin", entered)
				cancel()
			}()
			_, err := client.UnaryCall(ctx, request(""))
			cancelled(b, "call", err)
			await(b, "the handler to end", done)
		},
		"what a handler derives from its context is cancelled with it": func(b *rig) {
			entered, done := make(chan struct{}), make(chan struct{})
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				defer close(done)
				child, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				called := make(chan struct{})
				context.AfterFunc(ctx, func() { close(called) })
				close(entered)
				<-child.Done()
				await(b, "the function", called)
				b.server.is("child", child.Err() == context.Canceled, true)
				seesEnd(b, ctx)
				return reply(""), nil
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			go func() {
				await(b, "the handler to begin", entered)
				cancel()
			}()
			_, err := client.UnaryCall(ctx, request(""))
			cancelled(b, "call", err)
			await(b, "the handler to end", done)
		},
		"a stream can be cancelled before anything was sent": func(b *rig) {
			entered, done := make(chan struct{}), make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				defer close(done)
				close(entered)
				<-stream.Context().Done()
				seesEnd(b, stream.Context())
				_, err := stream.Recv()
				b.server.fails("receive", err, codes.Canceled, "context canceled")
				b.server.fails("send", stream.Send(outgoing("")), codes.Canceled, "context canceled")
				return err
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			stream := b.chatWith(ctx, client)
			await(b, "the handler to begin", entered)
			cancel()
			_, err := stream.Recv()
			cancelled(b, "receive", err)
			_, err = stream.Recv()
			cancelled(b, "receive again", err)
			header, err := stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", header, metadata.MD(nil))
			b.client.saw("trailer", stream.Trailer())
			b.client.ends("send", stream.Send(incoming("")))
			b.client.succeeds("half-close", stream.CloseSend())
			await(b, "the handler to end", done)
		},
		"a stream can be cancelled after a response": func(b *rig) {
			done := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				defer close(done)
				b.server.succeeds("send", stream.Send(outgoing("first")))
				_, err := stream.Recv()
				b.server.fails("receive", err, codes.Canceled, "context canceled")
				seesEnd(b, stream.Context())
				return nil
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			stream := b.chatWith(ctx, client)
			b.receives(stream, "first")
			cancel()
			_, err := stream.Recv()
			cancelled(b, "receive", err)
			await(b, "the handler to end", done)
		},
		"a server stream can be left": func(b *rig) {
			done := make(chan struct{})
			client, _ := b.start(service{list: func(_ *testpb.StreamingOutputCallRequest, stream listServer) error {
				defer close(done)
				err := sendForever(func() error { return stream.Send(outgoing("more")) })
				b.server.fails("send", err, codes.Canceled, "context canceled")
				return err
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			stream, err := client.StreamingOutputCall(ctx, incoming(""))
			b.client.succeeds("begin", err)
			for range 3 {
				_, err := stream.Recv()
				b.client.succeeds("receive", err)
			}
			cancel()
			await(b, "the handler to end", done)
		},
		"a client that waits to receive is cancelled": func(b *rig) {
			entered := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				close(entered)
				<-stream.Context().Done()
				return nil
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			stream := b.chatWith(ctx, client)
			received := make(chan error, 1)
			go func() {
				_, err := stream.Recv()
				received <- err
			}()
			await(b, "the handler to begin", entered)
			cancel()
			cancelled(b, "receive", await(b, "the client to receive", received))
		},
		"a client that waits for the header is cancelled": func(b *rig) {
			entered := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				close(entered)
				<-stream.Context().Done()
				return nil
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			stream := b.chatWith(ctx, client)
			go func() {
				await(b, "the handler to begin", entered)
				cancel()
			}()
			header, err := stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", header, metadata.MD(nil))
			_, err = stream.Recv()
			cancelled(b, "receive", err)
		},
		"a client that waits to send is cancelled": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				<-stream.Context().Done()
				return nil
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			stream := b.chatWith(ctx, client)
			var sent atomic.Int64
			ended := make(chan error, 1)
			go func() {
				ended <- sendForever(func() error {
					defer sent.Add(1)
					return stream.Send(incoming(large))
				})
			}()
			stalls(b, sent.Load)
			cancel()
			b.client.ends("send", await(b, "the client to send", ended))
			_, err := stream.Recv()
			cancelled(b, "receive", err)
		},
		"a unary call that waits to send is cancelled": func(b *rig) {
			// A handler without a stream would read the request by itself.
			entered := make(chan struct{})
			_, conn := b.start(service{gather: func(stream gatherServer) error {
				close(entered)
				<-stream.Context().Done()
				return nil
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			go func() {
				await(b, "the handler to begin", entered)
				cancel()
			}()
			err := conn.Invoke(ctx, gatherMethod, part(strings.Repeat(large, 8)), &testpb.StreamingInputCallResponse{})
			cancelled(b, "call", err)
		},
		"a handler that waits to send is cancelled": func(b *rig) {
			done := make(chan struct{})
			var sent atomic.Int64
			client, _ := b.start(service{chat: func(stream chatServer) error {
				defer close(done)
				err := sendForever(func() error {
					defer sent.Add(1)
					return stream.Send(outgoing(large))
				})
				b.server.fails("send", err, codes.Canceled, "context canceled")
				return err
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			stream := b.chatWith(ctx, client)
			stalls(b, sent.Load)
			cancel()
			await(b, "the handler to end", done)
			cancelled(b, "receive", receiveForever(stream))
		},
		"a handler's context ends when it has returned": func(b *rig) {
			contexts := make(chan context.Context, 1)
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					contexts <- ctx
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					contexts <- stream.Context()
					return nil
				},
			})
			check := func() {
				ctx := await(b, "the handler", contexts)
				await(b, "the handler's context", ctx.Done())
				seesEnd(b, ctx)
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("authority", md[":authority"], []string{"localhost"})
				method, _ := grpc.Method(ctx)
				b.server.saw("method", method)
			}
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			check()
			b.receivesEnd(b.chat(client))
			check()
			// Also one that has a deadline ends at once, and as cancelled.
			ctx, cancel := context.WithTimeout(b.ctx, time.Hour)
			defer cancel()
			_, err = client.UnaryCall(ctx, request(""))
			b.client.succeeds("call", err)
			check()
		},
		"what outlives its handler sees the end": func(b *rig) {
			done := make(chan struct{})
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				begun := make(chan struct{})
				go func() {
					defer close(done)
					close(begun)
					<-ctx.Done()
					seesEnd(b, ctx)
				}()
				<-begun
				return reply(""), nil
			}})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			await(b, "what outlived the handler", done)
		},
		"the end of the client's context after the call changes nothing": func(b *rig) {
			client, _ := b.start(service{})
			ctx, cancel := context.WithCancel(b.ctx)
			_, err := client.UnaryCall(ctx, request(""))
			b.client.succeeds("call", err)
			stream := b.chatWith(ctx, client)
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
			cancel()
			b.receivesEnd(stream)
			_, err = client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("next call", err)
		},
		"a cancelled call leaves the next one alone": func(b *rig) {
			entered := make(chan struct{})
			client, _ := b.start(service{unary: func(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				if textOf(req) == "wait" {
					entered <- struct{}{}
					<-ctx.Done()
				}
				return reply(textOf(req)), nil
			}})
			for range 20 {
				ctx, cancel := context.WithCancel(b.ctx)
				go func() {
					await(b, "the handler to begin", entered)
					cancel()
				}()
				_, err := client.UnaryCall(ctx, request("wait"))
				cancelled(b, "call", err)
				resp, err := client.UnaryCall(b.ctx, request("next"))
				b.client.succeeds("next call", err)
				b.client.is("reply", resp, reply("next"))
			}
		},
	})
}
