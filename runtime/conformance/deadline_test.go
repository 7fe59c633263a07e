package conformance_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// soon is a deadline that calls are to reach. It leaves time enough for the call to get to
// its handler.
const soon = time.Second

// Handlers of these cases do not return success when their time is over: the client would
// take it if its own clock has not got there yet.
func TestConformanceOfDeadlines(t *testing.T) {
	exceeded := func(b *rig, what string, err error) {
		b.Helper()
		// Where both sides reach the deadline, the server may be first to end the stream.
		if err != nil && strings.HasSuffix(err.Error(), "stream terminated by RST_STREAM with error code: CANCEL") {
			err = status.Error(status.Code(err), "context deadline exceeded")
		}
		b.client.fails(what, err, codes.DeadlineExceeded, "context deadline exceeded")
	}
	conform(t, cases{
		"a handler knows how much time is left": func(b *rig) {
			given := map[string]time.Duration{"minutes": 5 * time.Minute, "hours": 5 * time.Hour, "a year": 365 * 24 * time.Hour, "centuries": 200 * 365 * 24 * time.Hour}
			client, _ := b.start(service{
				unary: func(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.server.is("time left", timeLeft(ctx, given[textOf(req)]), "what was given")
					md, _ := metadata.FromIncomingContext(ctx)
					b.server.is("timeout in metadata", md["grpc-timeout"], []string(nil))
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					b.server.is("time left", timeLeft(stream.Context(), time.Hour), "what was given")
					return nil
				},
			})
			for _, name := range slices.Sorted(maps.Keys(given)) {
				ctx, cancel := context.WithTimeout(b.ctx, given[name])
				_, err := client.UnaryCall(ctx, request(name))
				b.client.succeeds("call", err)
				cancel()
			}
			ctx, cancel := context.WithTimeout(b.ctx, time.Hour)
			defer cancel()
			b.receivesEnd(b.chatWith(ctx, client))
		},
		"a call without a deadline has none in the handler": func(b *rig) {
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				b.server.is("time left", timeLeft(ctx, 0), "no deadline")
				b.server.is("error", ctx.Err(), nil)
				b.server.is("cause", context.Cause(ctx), nil)
				return reply(""), nil
			}})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
		},
		"a call whose time is over already is not made": func(b *rig) {
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
			ctx, cancel := context.WithTimeout(b.ctx, -time.Second)
			defer cancel()
			_, err := client.UnaryCall(ctx, request(""))
			exceeded(b, "call", err)
			_, err = client.FullDuplexCall(ctx)
			exceeded(b, "begin", err)
		},
		"a handler that waits for its context is told": func(b *rig) {
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					<-ctx.Done()
					b.server.is("ended", ended(ctx.Err()), true)
					b.server.is("cause is the error", context.Cause(ctx) == ctx.Err(), true)
					return nil, ctx.Err()
				},
				chat: func(stream chatServer) error {
					<-stream.Context().Done()
					b.server.is("ended", ended(stream.Context().Err()), true)
					return stream.Context().Err()
				},
			})
			ctx, cancel := context.WithTimeout(b.ctx, soon)
			defer cancel()
			_, err := client.UnaryCall(ctx, request(""))
			exceeded(b, "call", err)
			ctx, cancel = context.WithTimeout(b.ctx, soon)
			defer cancel()
			stream := b.chatWith(ctx, client)
			_, err = stream.Recv()
			exceeded(b, "receive", err)
			b.client.ends("send", stream.Send(incoming("")))
			_, err = stream.Recv()
			exceeded(b, "receive again", err)
		},
		"a handler that asks for its context's error is told": func(b *rig) {
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				b.until("the context to end", func() bool { return ctx.Err() != nil })
				b.server.is("ended", ended(ctx.Err()), true)
				<-ctx.Done()
				return nil, ctx.Err()
			}})
			ctx, cancel := context.WithTimeout(b.ctx, soon)
			defer cancel()
			_, err := client.UnaryCall(ctx, request(""))
			exceeded(b, "call", err)
		},
		"what a handler derives from its context ends with it": func(b *rig) {
			type key struct{}
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				withValue := context.WithValue(ctx, key{}, "value")
				longer, cancelLonger := context.WithTimeout(withValue, time.Hour)
				defer cancelLonger()
				shorter, cancelShorter := context.WithTimeout(ctx, time.Millisecond)
				defer cancelShorter()
				cancelled, cancel := context.WithCancel(longer)
				cancel()
				child, cancelChild := context.WithCancelCause(ctx)
				defer cancelChild(nil)
				without := context.WithoutCancel(withValue)
				called := make(chan struct{})
				context.AfterFunc(ctx, func() { close(called) })
				notCalled := context.AfterFunc(ctx, func() { b.Error("a function that was stopped was called") })
				b.server.is("stopped", notCalled(), true)

				<-shorter.Done()
				b.server.is("shorter ended", ended(shorter.Err()), true)
				b.server.is("cancelled", cancelled.Err(), context.Canceled)
				deadline, _ := ctx.Deadline()
				longerDeadline, _ := longer.Deadline()
				b.server.is("deadline of longer", longerDeadline.Equal(deadline), true)

				<-longer.Done()
				<-child.Done()
				await(b, "the function", called)
				b.server.is("longer ended", ended(longer.Err()), true)
				b.server.is("child ended", ended(child.Err()), true)
				b.server.is("cause of child", context.Cause(child) == context.Cause(ctx), true)
				b.server.is("without cancellation", without.Err(), nil)
				b.server.is("value", without.Value(key{}), "value")
				_, hasDeadline := without.Deadline()
				b.server.is("deadline without cancellation", hasDeadline, false)
				p, _ := peer.FromContext(without)
				b.server.is("peer without cancellation", p != nil, true)
				return nil, ctx.Err()
			}})
			ctx, cancel := context.WithTimeout(b.ctx, soon)
			defer cancel()
			_, err := client.UnaryCall(ctx, request(""))
			exceeded(b, "call", err)
		},
		"a reply that comes too late is not taken": func(b *rig) {
			release := make(chan struct{})
			client, _ := b.start(service{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				await(b, "the client to give up", release)
				return reply(""), nil
			}})
			ctx, cancel := context.WithTimeout(b.ctx, soon)
			defer cancel()
			resp, err := client.UnaryCall(ctx, request(""))
			exceeded(b, "call", err)
			b.client.is("reply", resp, (*testpb.SimpleResponse)(nil))
			close(release)
			// Whatever comes late does not get into the next call.
			resp, err = client.UnaryCall(b.ctx, request("next"))
			b.client.succeeds("next call", err)
			b.client.is("reply of the next", resp, reply(""))
		},
		"a stream's time ends while both sides receive": func(b *rig) {
			done := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				defer close(done)
				b.server.succeeds("send", stream.Send(outgoing("first")))
				_, err := stream.Recv()
				b.server.is("receive ended", ended(contextError(err)), true)
				return err
			}})
			ctx, cancel := context.WithTimeout(b.ctx, soon)
			defer cancel()
			stream := b.chatWith(ctx, client)
			b.receives(stream, "first")
			_, err := stream.Recv()
			exceeded(b, "receive", err)
			await(b, "the handler", done)
		},
		"a stream's time ends while the client sends": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				<-stream.Context().Done()
				return stream.Context().Err()
			}})
			ctx, cancel := context.WithTimeout(b.ctx, soon)
			defer cancel()
			stream := b.chatWith(ctx, client)
			b.client.ends("send", sendForever(func() error { return stream.Send(incoming(large)) }))
			_, err := stream.Recv()
			exceeded(b, "receive", err)
		},
		"a stream's time ends while the server sends": func(b *rig) {
			done := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				defer close(done)
				err := sendForever(func() error { return stream.Send(outgoing(large)) })
				b.server.is("send ended", ended(contextError(err)), true)
				return err
			}})
			ctx, cancel := context.WithTimeout(b.ctx, soon)
			defer cancel()
			stream := b.chatWith(ctx, client)
			await(b, "the handler", done)
			<-ctx.Done()
			exceeded(b, "receive", receiveForever(stream))
		},
		"a handler's own status of a time limit is no other": func(b *rig) {
			client, _ := b.start(service{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				return nil, status.Error(codes.DeadlineExceeded, "the server's own words")
			}})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.DeadlineExceeded, "the server's own words")
		},
	})
}

// contextError turns a status back into the error of the context that it came of.
func contextError(err error) error {
	switch status.Code(err) {
	case codes.Canceled:
		return context.Canceled
	case codes.DeadlineExceeded:
		return context.DeadlineExceeded
	default:
		return err
	}
}
