package conformance_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	_ "google.golang.org/grpc/encoding/gzip"
)

func TestConformanceOfCallOptions(t *testing.T) {
	conform(t, cases{
		"Header, Trailer and Peer are filled in": func(b *rig) {
			handle := func(stream grpc.ServerTransportStream) {
				b.server.succeeds("set header", stream.SetHeader(metadata.Pairs("h", "1")))
				b.server.succeeds("set trailer", stream.SetTrailer(metadata.Pairs("t", "1")))
			}
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					handle(grpc.ServerTransportStreamFromContext(ctx))
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					handle(grpc.ServerTransportStreamFromContext(stream.Context()))
					return stream.Send(outgoing(""))
				},
			})
			check := func(header, trailer metadata.MD, p peer.Peer) {
				b.client.is("header", only(header, "h"), metadata.MD{"h": {"1"}})
				b.client.is("trailer", trailer, metadata.MD{"t": {"1"}})
				b.client.is("address", b.normal(p.Addr.String()), "<socket>")
				b.client.is("network", p.Addr.Network(), "unix")
				info, ok := p.AuthInfo.(runtime.AuthInfo)
				b.client.is("peer is the runtime's", ok, true)
				b.client.is("server", info.Peer.PID, os.Getpid())
				b.client.is("security", info.SecurityLevel, credentials.PrivacyAndIntegrity)
			}
			var header, trailer metadata.MD
			var p peer.Peer
			_, err := client.UnaryCall(b.ctx, request(""), grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&p))
			b.client.succeeds("call", err)
			check(header, trailer, p)
			header, trailer, p = nil, nil, peer.Peer{}
			stream := b.chat(client, grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&p))
			b.receives(stream, "")
			b.receivesEnd(stream)
			check(header, trailer, p)
		},
		"a client's stream has a context": func(b *rig) {
			type key struct{}
			client, _ := b.start(service{})
			stream := b.chatWith(context.WithValue(b.ctx, key{}, "value"), client)
			b.client.is("value", stream.Context().Value(key{}), "value")
			b.client.is("error", stream.Context().Err(), nil)
			b.client.succeeds("half-close", stream.CloseSend())
			b.receivesEnd(stream)
			p, ok := peer.FromContext(stream.Context())
			b.client.is("peer is known", ok && p.Addr.String() == b.path, true)
			b.client.saw("error at the end", stream.Context().Err())
		},
		"OnFinish is called once, with the call's error": func(b *rig) {
			client, _ := b.start(service{
				unary: func(_ context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					if textOf(req) == "fail" {
						return nil, errNotFound
					}
					return reply(""), nil
				},
				chat: func(chatServer) error { return errNotFound },
			})
			finished := make(chan error, 10)
			_, err := client.UnaryCall(b.ctx, request(""), grpc.OnFinish(func(err error) { finished <- err }))
			b.client.succeeds("call", err)
			b.client.succeeds("finish", await(b, "the end", finished))
			_, err = client.UnaryCall(b.ctx, request("fail"), grpc.OnFinish(func(err error) { finished <- err }))
			b.client.fails("call", err, codes.NotFound, "no such thing")
			b.client.fails("finish", await(b, "the end", finished), codes.NotFound, "no such thing")
			stream := b.chat(client, grpc.OnFinish(func(err error) { finished <- err }))
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
			b.client.fails("finish", await(b, "the end", finished), codes.NotFound, "no such thing")
			_, _ = stream.Recv()
			b.client.is("more calls", len(finished), 0)
		},
		"WaitForReady and StaticMethod change nothing of a call that works": func(b *rig) {
			client, _ := b.start(service{})
			for _, opts := range [][]grpc.CallOption{{grpc.WaitForReady(true)}, {grpc.WaitForReady(false)}, {grpc.StaticMethod()}, {grpc.EmptyCallOption{}}} {
				resp, err := client.UnaryCall(b.ctx, request("hello"), opts...)
				b.client.succeeds("call", err)
				b.client.is("reply", resp, reply("hello"))
				stream := b.chat(client, opts...)
				b.client.succeeds("half-close", stream.CloseSend())
				b.receivesEnd(stream)
			}
		},
		"compressors are those that are installed": func(b *rig) {
			long := strings.Repeat("x", 10_000)
			b.carriedElsewhere()
			// A handler that chooses a compressor needs HTTP/2; so do clients that do.
			client, _ := b.start(service{unary: func(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				supported, err := grpc.ClientSupportedCompressors(ctx)
				b.server.succeeds("compressors", err)
				b.server.is("gzip is supported", slices.Contains(supported, "gzip"), true)
				b.server.saw("all compressors", supported)
				if textOf(req) == "reply" {
					b.server.succeeds("set compressor", grpc.SetSendCompressor(ctx, "gzip"))
					err := grpc.SetSendCompressor(ctx, "none such")
					b.server.saw("set unknown compressor", b.outcome(err))
				}
				return reply(long), nil
			}}, runtime.HTTP2Only())
			resp, err := client.UnaryCall(b.ctx, request(long), grpc.UseCompressor("gzip"))
			b.client.succeeds("call", err)
			b.client.is("reply", textOf(resp) == long, true)
			resp, err = client.UnaryCall(b.ctx, request("reply"))
			b.client.succeeds("call", err)
			b.client.is("reply", textOf(resp) == long, true)
			_, err = client.UnaryCall(b.ctx, request(""), grpc.UseCompressor("identity"))
			b.client.succeeds("call", err)
			_, err = client.UnaryCall(b.ctx, request(""), grpc.UseCompressor("none such"))
			b.client.fails("call", err, codes.Internal, `grpc: Compressor is not installed for requested grpc-encoding "none such"`)
			stream := b.chat(client, grpc.UseCompressor("gzip"))
			b.client.succeeds("send", stream.Send(incoming(long)))
			b.receives(stream, long)
		},
		"content subtypes are those of codecs": func(b *rig) {
			b.carriedElsewhere()
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.saw("content type", md["content-type"])
				return reply(""), nil
			}})
			var header metadata.MD
			_, err := client.UnaryCall(b.ctx, request(""), grpc.CallContentSubtype("proto"), grpc.Header(&header))
			b.client.succeeds("call", err)
			b.client.is("header", header, metadata.MD{"content-type": {"application/grpc+proto"}})
			_, err = client.UnaryCall(b.ctx, request(""), grpc.CallContentSubtype("none-such"))
			b.client.fails("call", err, codes.Internal, "no codec registered for content-subtype none-such")
			// The server takes a codec that it does not know for protobuf's.
			_, err = client.UnaryCall(b.ctx, request(""), grpc.ForceCodecV2(anonymous{encoding.GetCodecV2("proto")}), grpc.Header(&header))
			b.client.succeeds("call with a codec", err)
			b.client.saw("header", header)
		},
		"credentials of a call are sent": func(b *rig) {
			b.carriedElsewhere()
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("metadata", only(md, "authorization"), metadata.MD{"authorization": {"secret"}})
				return reply(""), nil
			}})
			_, err := client.UnaryCall(b.ctx, request(""), grpc.PerRPCCredentials(token{}))
			b.client.succeeds("call", err)
			_, err = client.UnaryCall(b.ctx, request(""), grpc.PerRPCCredentials(noToken{errors.New("no token")}))
			b.client.fails("call without", err, codes.Internal, "transport: per-RPC creds failed due to error: no token")
			_, err = client.UnaryCall(b.ctx, request(""), grpc.PerRPCCredentials(noToken{status.Error(codes.PermissionDenied, "no token for you")}))
			b.client.fails("call without", err, codes.PermissionDenied, "no token for you")
			_, err = client.UnaryCall(b.ctx, request(""), grpc.PerRPCCredentials(noToken{errNotFound}))
			b.client.fails("call without", err, codes.Internal, "transport: received per-RPC creds error with illegal status: rpc error: code = NotFound desc = no such thing")
		},
		"the authority of a call is sent": func(b *rig) {
			b.carriedElsewhere()
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("metadata", only(md, ":authority"), metadata.MD{":authority": {"example.com"}})
				return reply(""), nil
			}})
			_, err := client.UnaryCall(b.ctx, request(""), grpc.CallAuthority("example.com"))
			b.client.succeeds("call", err)
		},
		"a handler can find out the method and reach its stream": func(b *rig) {
			handle := func(ctx context.Context) {
				method, ok := grpc.Method(ctx)
				b.server.is("method is known", ok, true)
				b.server.saw("method", method)
				stream := grpc.ServerTransportStreamFromContext(ctx)
				b.server.is("method of the stream", stream.Method(), method)
				b.server.succeeds("send header", stream.SendHeader(metadata.Pairs("h", "1")))
				b.server.fails("set header", stream.SetHeader(metadata.Pairs("h", "2")), codes.Internal, "transport: SendHeader called multiple times")
				b.server.succeeds("set trailer", stream.SetTrailer(metadata.Pairs("t", "1")))
			}
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					handle(ctx)
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					handle(stream.Context())
					return nil
				},
			})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.receivesEnd(b.chat(client))
		},
		"outside of a handler there is no stream": func(b *rig) {
			b.server.fails("set header", grpc.SetHeader(b.ctx, metadata.Pairs("k", "v")), codes.Internal, "grpc: failed to fetch the stream from the context context.Background.WithCancel")
		},
	})
}

// anonymous is a codec without a name of its own.
type anonymous struct{ encoding.CodecV2 }

func (anonymous) Name() string { return "anonymous" }

// token is a per-RPC credential that may only be sent over a secure connection.
type token struct{}

func (token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "secret"}, nil
}

func (token) RequireTransportSecurity() bool { return true }

// noToken is a per-RPC credential that cannot be had.
type noToken struct{ err error }

func (c noToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return nil, c.err
}

func (noToken) RequireTransportSecurity() bool { return true }
