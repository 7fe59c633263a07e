package conformance_test

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

func TestConformanceOfLifecycle(t *testing.T) {
	const closing = "grpc: the client connection is closing"
	const noServer = `connection error: desc = "transport: Error while dialing: dial <socket>: connect: no such file or directory: there is no such file: the server is not running, or listens elsewhere"`
	conform(t, cases{
		"a call after Close fails": func(b *rig) {
			client, conn := b.start(service{})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.client.succeeds("close", conn.Close())
			_, err = client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.Canceled, closing)
			_, err = client.UnaryCall(b.ctx, request(""), grpc.WaitForReady(true))
			b.client.fails("waiting call", err, codes.Canceled, closing)
			_, err = client.FullDuplexCall(b.ctx)
			b.client.fails("begin", err, codes.Canceled, closing)
			b.client.saw("close again", b.outcome(conn.Close()))
		},
		"Close ends calls that run": func(b *rig) {
			entered := make(chan struct{})
			client, conn := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					entered <- struct{}{}
					<-ctx.Done()
					b.server.is("error", ctx.Err(), context.Canceled)
					return nil, ctx.Err()
				},
				chat: func(stream chatServer) error {
					entered <- struct{}{}
					<-stream.Context().Done()
					b.server.is("error", stream.Context().Err(), context.Canceled)
					return stream.Context().Err()
				},
			})
			answered := make(chan error, 1)
			go func() {
				_, err := client.UnaryCall(b.ctx, request(""))
				answered <- err
			}()
			await(b, "the call to begin", entered)
			stream := b.chat(client)
			await(b, "the stream to begin", entered)
			b.client.succeeds("close", conn.Close())
			b.client.fails("call", await(b, "the call to end", answered), codes.Canceled, closing)
			_, err := stream.Recv()
			b.client.fails("receive", err, codes.Canceled, closing)
			b.client.ends("send", stream.Send(incoming("")))
		},
		"Close lets go of a client that waits to receive or to send": func(b *rig) {
			var sent atomic.Int64
			client, conn := b.start(service{chat: func(stream chatServer) error {
				<-stream.Context().Done()
				return nil
			}})
			stream := b.chat(client)
			received, sending := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := stream.Recv()
				received <- err
			}()
			go func() {
				sending <- sendForever(func() error {
					defer sent.Add(1)
					return stream.Send(incoming(large))
				})
			}()
			stalls(b, sent.Load)
			b.client.succeeds("close", conn.Close())
			b.client.fails("receive", await(b, "the client to receive", received), codes.Canceled, closing)
			b.client.ends("send", await(b, "the client to send", sending))
		},
		"a server's Close ends calls that run": func(b *rig) {
			entered := make(chan struct{})
			streamHandler := b.track("the stream's handler") // runs beside the other one
			srv := b.serve(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					entered <- struct{}{}
					<-ctx.Done()
					b.server.is("error", ctx.Err(), context.Canceled)
					return nil, ctx.Err()
				},
				chat: func(stream chatServer) error {
					entered <- struct{}{}
					_, err := stream.Recv()
					streamHandler.fails("receive", err, codes.Canceled, "context canceled")
					streamHandler.is("error", stream.Context().Err(), context.Canceled)
					return err
				},
			})
			client, _ := b.dial()
			answered := make(chan error, 1)
			go func() {
				_, err := client.UnaryCall(b.ctx, request(""))
				answered <- err
			}()
			await(b, "the call to begin", entered)
			stream := b.chat(client)
			await(b, "the stream to begin", entered)
			b.client.succeeds("server's close", srv.Close())
			b.client.failsSomehow("call", await(b, "the call to end", answered), codes.Unavailable)
			_, err := stream.Recv()
			b.client.failsSomehow("receive", err, codes.Unavailable)
			b.client.ends("send", stream.Send(incoming("")))
			b.client.succeeds("serve", <-srv.Done)
			_, err = client.UnaryCall(b.ctx, request(""))
			b.client.failsSomehow("next call", err, codes.Unavailable)
		},
		"a drain lets calls finish": func(b *rig) {
			entered, release := make(chan struct{}), make(chan struct{})
			srv := b.serve(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					entered <- struct{}{}
					await(b, "the drain", release)
					b.server.is("error", ctx.Err(), nil)
					return reply("finished"), nil
				},
			}, runtime.ShutdownTimeout(time.Minute))
			client, _ := b.dial()
			type answer struct {
				resp *testpb.SimpleResponse
				err  error
			}
			answered := make(chan answer, 1)
			go func() {
				resp, err := client.UnaryCall(b.ctx, request(""))
				answered <- answer{resp, err}
			}()
			await(b, "the call to begin", entered)
			stream := b.chat(client)
			b.client.succeeds("send", stream.Send(incoming("before")))
			b.receives(stream, "before")
			srv.Stop()
			fixture.AwaitMissing(b, b.path)
			close(release)
			a := await(b, "the call to end", answered)
			b.client.succeeds("call", a.err)
			b.client.is("reply", a.resp, reply("finished"))
			b.client.succeeds("send", stream.Send(incoming("during")))
			b.receives(stream, "during")
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
			b.client.succeeds("serve", await(b, "the server to end", srv.Done))
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.failsSomehow("next call", err, codes.Unavailable)
		},
		"a drain ends streams at its time limit": func(b *rig) {
			srv := b.serve(service{chat: func(stream chatServer) error {
				b.server.succeeds("send", stream.Send(outgoing("last")))
				<-stream.Context().Done()
				b.server.is("error", stream.Context().Err(), context.Canceled)
				return nil
			}}, runtime.ShutdownTimeout(0))
			client, _ := b.dial()
			stream := b.chat(client)
			b.receives(stream, "last")
			srv.Stop()
			b.client.succeeds("serve", await(b, "the server to end", srv.Done))
			_, err := stream.Recv()
			b.client.failsSomehow("receive", err, codes.Unavailable)
		},
		"a client goes on with the next server": func(b *rig) {
			first := b.serve(service{})
			client, _ := b.dial()
			for range 3 {
				_, err := client.UnaryCall(b.ctx, request(""))
				b.client.succeeds("call", err)
			}
			first.Stop()
			b.client.succeeds("serve", await(b, "the server to end", first.Done))
			b.serve(service{})
			resp, err := client.UnaryCall(b.ctx, request("hello"), grpc.WaitForReady(true))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, reply("hello"))
			stream := b.chat(client)
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
		},
		"a call without a server fails at once and says why": func(b *rig) {
			client, _ := b.dial()
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.Unavailable, noServer)
			_, err = client.FullDuplexCall(b.ctx)
			b.client.fails("begin", err, codes.Unavailable, noServer)
		},
		"a call that waits for a server is made when it comes": func(b *rig) {
			b.carriedElsewhere()
			client, _ := b.dial()
			type answer struct {
				resp *testpb.SimpleResponse
				err  error
			}
			answered := make(chan answer, 1)
			go func() {
				resp, err := client.UnaryCall(b.ctx, request("hello"), grpc.WaitForReady(true))
				answered <- answer{resp, err}
			}()
			// That this one fails shows that the client has tried in vain.
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.failsSomehow("impatient call", err, codes.Unavailable)
			b.serve(service{})
			a := await(b, "the call to end", answered)
			b.client.succeeds("call", a.err)
			b.client.is("reply", a.resp, reply("hello"))
		},
		"a call that waits for a server gives up with its context": func(b *rig) {
			client, _ := b.dial()
			ctx, cancel := context.WithTimeout(b.ctx, soon)
			defer cancel()
			_, err := client.UnaryCall(ctx, request(""), grpc.WaitForReady(true))
			b.client.fails("call", err, codes.DeadlineExceeded, "latest balancer error: "+noServer)
			ctx, cancel = context.WithCancel(b.ctx)
			time.AfterFunc(10*time.Millisecond, cancel)
			_, err = client.FullDuplexCall(ctx, grpc.WaitForReady(true))
			b.client.fails("begin", err, codes.Canceled, "latest balancer error: "+noServer)
		},
		"calls wait until a server that listens serves": func(b *rig) {
			srv := b.newServer(service{})
			client, _ := b.dial()
			answered := make(chan error, 1)
			go func() {
				_, err := client.UnaryCall(b.ctx, request(""))
				answered <- err
			}()
			b.run(srv)
			b.client.succeeds("call", await(b, "the call to end", answered))
		},
	})
}

// What the receiver then gets is not compared: grpc receives in advance over HTTP/2.
func TestStatsHandlerMayCallClose(t *testing.T) {
	t.Parallel()
	for _, tr := range transports {
		events := []stats.RPCStats{&stats.InPayload{}}
		if tr.carrier == "direct" {
			events = append(events, &stats.InHeader{}) // where grpc-go 1.85 waits for itself
		}
		for _, on := range events {
			t.Run(fmt.Sprintf("%T over %s", on, tr.name), func(t *testing.T) {
				t.Parallel()
				b := newRig(t, tr)
				b.serve(service{})
				closer := &closer{on: reflect.TypeOf(on), ended: make(chan error, 1)}
				client, conn := b.dial(runtime.WithStatsHandler(closer))
				closer.close = conn.Close
				stream := b.chat(client)
				if err := stream.Send(incoming("x")); err != nil {
					t.Fatal(err)
				}
				received := make(chan error, 1)
				go func() {
					var err error
					for err == nil {
						_, err = stream.Recv()
					}
					received <- err
				}()
				if err := await(b, "the stream to end", received); status.Code(err) != codes.Canceled {
					t.Errorf("the stream ends with %v", err)
				}
				if err := await(b, "the end to be told", closer.ended); status.Code(err) != codes.Canceled {
					t.Errorf("stats handlers are told the end %v", err)
				}
			})
		}
	}
}

// Nobody receives after the message whose stats handler has called Close.
func TestEndIsToldAfterAStatsHandlerHasCalledClose(t *testing.T) {
	t.Parallel()
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			b := newRig(t, tr)
			b.serve(service{})
			closer := &closer{on: reflect.TypeFor[*stats.InPayload](), ended: make(chan error, 1)}
			client, conn := b.dial(runtime.WithStatsHandler(closer))
			closer.close = conn.Close
			stream := b.chat(client)
			if err := stream.Send(incoming("x")); err != nil {
				t.Fatal(err)
			}
			stream.Recv() // the message, or the end
			if err := await(b, "the end to be told", closer.ended); status.Code(err) != codes.Canceled {
				t.Errorf("stats handlers are told the end %v", err)
			}
		})
	}
}

// closer is a stats handler that closes the client at an event.
type closer struct {
	on    reflect.Type
	close func() error
	ended chan error
}

func (*closer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*closer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*closer) HandleConn(context.Context, stats.ConnStats)                       {}

func (c *closer) HandleRPC(_ context.Context, e stats.RPCStats) {
	if reflect.TypeOf(e) == c.on {
		c.close()
	}
	if end, ok := e.(*stats.End); ok {
		c.ended <- end.Error
	}
}
