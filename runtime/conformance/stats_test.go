package conformance_test

import (
	"context"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
)

// observe runs a service and returns a client of it, both with a stats handler.
func (b *rig) observe(svc service) (client testpb.TestServiceClient, conn *runtime.ClientConn, atClient, atServer *statsNotes) {
	b.Helper()
	atClient, atServer = b.statsNotes("client's stats"), b.statsNotes("server's stats")
	b.serve(svc, runtime.StatsHandler(atServer))
	client, conn = b.dial(runtime.WithStatsHandler(atClient))
	b.ready(conn)
	return client, conn, atClient, atServer
}

func TestConformanceOfStats(t *testing.T) {
	conform(t, cases{
		"a unary call": func(b *rig) {
			client, _, atClient, atServer := b.observe(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				b.server.succeeds("set header", grpc.SetHeader(ctx, metadata.Pairs("h", "1")))
				b.server.succeeds("set trailer", grpc.SetTrailer(ctx, metadata.Pairs("t", "1")))
				return reply("hello"), nil
			}})
			_, err := client.UnaryCall(metadata.AppendToOutgoingContext(b.ctx, "k", "v"), request("hello"))
			b.client.succeeds("call", err)
			_, err = client.UnaryCall(b.ctx, &testpb.SimpleRequest{}, grpc.WaitForReady(true))
			b.client.succeeds("call", err)
			const c, s = "Begin OutHeader OutPayload InPayload End | InHeader InTrailer", "InHeader Begin InPayload OutHeader OutPayload OutTrailer End"
			atClient.are(c, c)
			atServer.are(s, s)
		},
		"a client stream": func(b *rig) {
			client, _, atClient, atServer := b.observe(service{})
			stream, err := client.StreamingInputCall(b.ctx)
			b.client.succeeds("begin", err)
			for range 2 {
				b.client.succeeds("send", stream.Send(part("hello")))
			}
			_, err = stream.CloseAndRecv()
			b.client.succeeds("receive", err)
			atClient.are("Begin OutHeader OutPayload OutPayload InPayload End | InHeader InTrailer")
			atServer.are("InHeader Begin InPayload InPayload OutHeader OutPayload OutTrailer End")
		},
		"a server stream": func(b *rig) {
			client, _, atClient, atServer := b.observe(service{})
			stream, err := client.StreamingOutputCall(b.ctx, &testpb.StreamingOutputCallRequest{ResponseParameters: []*testpb.ResponseParameters{{Size: 1}, {Size: 2}}})
			b.client.succeeds("begin", err)
			for range 2 {
				_, err := stream.Recv()
				b.client.succeeds("receive", err)
			}
			_, err = stream.Recv()
			b.client.ends("receive at the end", err)
			atClient.are("Begin OutHeader OutPayload InPayload InPayload End | InHeader InTrailer")
			atServer.are("InHeader Begin InPayload OutHeader OutPayload OutPayload OutTrailer End")
		},
		"a conversation": func(b *rig) {
			client, _, atClient, atServer := b.observe(service{})
			stream := b.chat(client)
			for range 2 {
				b.client.succeeds("send", stream.Send(incoming("hello")))
				b.receives(stream, "hello")
			}
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
			atClient.are("Begin OutHeader OutPayload InPayload OutPayload InPayload End | InHeader InTrailer")
			atServer.are("InHeader Begin InPayload OutHeader OutPayload InPayload OutPayload OutTrailer End")
		},
		"calls that fail": func(b *rig) {
			client, _, atClient, atServer := b.observe(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.server.succeeds("set trailer", grpc.SetTrailer(ctx, metadata.Pairs("t", "1")))
					return nil, errNotFound
				},
				chat: func(stream chatServer) error {
					b.server.succeeds("send header", stream.SendHeader(metadata.Pairs("h", "1")))
					return errNotFound
				},
			})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.NotFound, "no such thing")
			stream := b.chat(client)
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
			atClient.are("Begin OutHeader OutPayload End | InTrailer", "Begin OutHeader End | InHeader InTrailer")
			atServer.are("InHeader Begin InPayload OutTrailer End", "InHeader Begin OutHeader OutTrailer End")
		},
		"calls that do not get to a handler": func(b *rig) {
			_, conn, atClient, _ := b.observe(service{})
			ctx, cancel := context.WithCancel(b.ctx)
			cancel()
			b.client.fails("call", conn.Invoke(ctx, unaryMethod, request(""), reply("")), codes.Canceled, "context canceled")
			ctx, cancel = context.WithTimeout(b.ctx, -1)
			cancel()
			b.client.fails("call", conn.Invoke(ctx, unaryMethod, request(""), reply("")), codes.DeadlineExceeded, "context deadline exceeded")
			atClient.are() // nothing is begun for a context that has ended
		},
		"a call of an unknown method": func(b *rig) {
			_, conn, _, atServer := b.observe(service{})
			b.client.fails("call", conn.Invoke(b.ctx, "/no.such.Service/Method", request(""), reply("")), codes.Unimplemented, "unknown service no.such.Service")
			// What the client sees depends on whether the answer comes before the request has gone.
			// The server did not begin the call, and so does not end it.
			atServer.eventually("InHeader OutTrailer")
		},
		"calls that are wrong": func(b *rig) {
			_, conn, atClient, _ := b.observe(service{})
			b.client.fails("call", conn.Invoke(b.ctx, unaryMethod, "bad", reply("")), codes.Internal, "grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
			b.client.fails("call", conn.Invoke(b.ctx, unaryMethod, request(textFor(11)), reply(""), grpc.MaxCallSendMsgSize(10)), codes.ResourceExhausted, "trying to send message larger than max (11 vs. 10)")
			ctx := metadata.AppendToOutgoingContext(b.ctx, "bad key", "v")
			b.client.fails("call", conn.Invoke(ctx, unaryMethod, request(""), reply("")), codes.Internal, illegalKey("bad key"))
			b.client.fails("call", conn.Invoke(b.ctx, unaryMethod, request(textFor(11)), reply(""), grpc.MaxCallRecvMsgSize(10)), codes.ResourceExhausted, "grpc: received message larger than max (11 vs. 10)")
			b.client.fails("call", conn.Invoke(b.ctx, unaryMethod, request(""), new(string)), codes.Internal, "grpc: failed to unmarshal the received message: failed to unmarshal, message is *string, want proto.Message")
			// Metadata that is wrong is found before the call begins. That no reply could be read
			// says nothing of whether its end arrived.
			const unsent, sent = "Begin OutHeader End", "Begin OutHeader OutPayload End"
			atClient.areSent(unsent, unsent, sent, sent)
		},
		"a call that is cancelled": func(b *rig) {
			entered := make(chan struct{})
			client, _, atClient, atServer := b.observe(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					entered <- struct{}{}
					<-ctx.Done()
					return nil, ctx.Err()
				},
				chat: func(stream chatServer) error {
					if err := stream.Send(outgoing("")); err != nil {
						return err
					}
					<-stream.Context().Done()
					return stream.Context().Err()
				},
			})
			ctx, cancel := context.WithCancel(b.ctx)
			go func() {
				await(b, "the handler to begin", entered)
				cancel()
			}()
			_, err := client.UnaryCall(ctx, request(""))
			b.client.fails("call", err, codes.Canceled, "context canceled")
			ctx, cancel = context.WithCancel(b.ctx)
			stream := b.chatWith(ctx, client)
			b.receives(stream, "")
			cancel()
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.Canceled, "context canceled")
			atClient.are("Begin OutHeader OutPayload End", "Begin OutHeader InPayload End | InHeader")
			atServer.are("InHeader Begin InPayload End", "InHeader Begin OutHeader OutPayload End")
		},
		"a call without a server": func(b *rig) {
			notes := b.statsNotes("client's stats")
			client, _ := b.dial(runtime.WithStatsHandler(notes))
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.failsSomehow("call", err, codes.Unavailable)
			notes.are("Begin End")
		},
		"what a handler of events puts into a context gets everywhere": func(b *rig) {
			atClient := &tagger{statsNotes: b.statsNotes("client's stats"), do: func(ctx context.Context) context.Context {
				return metadata.AppendToOutgoingContext(context.WithValue(ctx, statsKey{nil, "tag"}, "client"), "trace", "from the client")
			}}
			atServer := &tagger{statsNotes: b.statsNotes("server's stats"), do: func(ctx context.Context) context.Context {
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("trace at TagRPC", md["trace"], []string{"from the client"})
				p, ok := peer.FromContext(ctx)
				b.server.is("peer at TagRPC", ok && p.AuthInfo != nil, true)
				return context.WithValue(ctx, statsKey{nil, "tag"}, "server")
			}}
			second := b.statsNotes("second of server")
			check := func(ctx context.Context) {
				b.server.is("tag", ctx.Value(statsKey{nil, "tag"}), "server")
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("trace", md["trace"], []string{"from the client"})
				b.server.is("second handler's tag", ctx.Value(statsKey{second, "call"}) != nil, true)
			}
			b.serve(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					check(ctx)
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					check(stream.Context())
					return nil
				},
			}, runtime.StatsHandler(atServer), runtime.StatsHandler(second))
			client, conn := b.dial(runtime.WithStatsHandler(atClient))
			b.ready(conn)
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			stream := b.chat(client)
			b.client.is("tag in the client's stream", stream.Context().Value(statsKey{nil, "tag"}), "client")
			b.receivesEnd(stream)
			atClient.are("Begin OutHeader OutPayload InPayload End | InHeader InTrailer", "Begin OutHeader End | InTrailer")
			const s1, s2 = "InHeader Begin InPayload OutHeader OutPayload OutTrailer End", "InHeader Begin OutTrailer End"
			atServer.are(s1, s2)
			second.are(s1, s2)
		},
		// How many connections there are is the transport's own affair.
		"connections begin and end": func(b *rig) {
			atClient, atServer := b.statsNotes("client's stats"), b.statsNotes("server's stats")
			srv := b.serve(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				b.server.is("the call's context is of its connection", ctx.Value(statsKey{atServer, "conn"}) != nil, true)
				return reply(""), nil
			}}, runtime.StatsHandler(atServer))
			client, conn := b.dial(runtime.WithStatsHandler(atClient))
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.client.succeeds("close", conn.Close())
			for _, side := range []struct {
				notes  *statsNotes
				client bool
			}{{atClient, true}, {atServer, false}} {
				b.until("the connections to end", func() bool {
					side.notes.mu.Lock()
					defer side.notes.mu.Unlock()
					for _, c := range side.notes.conns {
						if c.begun != 1 || c.ended != 1 || c.client != side.client {
							return false
						}
					}
					return len(side.notes.conns) > 0
				})
			}
			srv.Close()
		},
	})
}

// tagger is a stats handler that adds something to the context of each call.
type tagger struct {
	*statsNotes
	do func(context.Context) context.Context
}

func (t *tagger) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return t.do(t.statsNotes.TagRPC(ctx, info))
}
