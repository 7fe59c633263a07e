package conformance_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

// assorted is metadata of every form that is allowed.
var assorted = metadata.MD{
	"plain":    {"value"},
	"repeated": {"one", "two", "one"},
	"empty":    {""},
	"spaces":   {"in the middle", " around "},
	"signs":    {"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "a,b"},
	"0_9.-":    {"odd key"},
	"one-bin":  {string([]byte{0, 1, 2, 0xfd, 0xfe, 0xff, '\n', ','})},
	"many-bin": {"", "\x00", "text", "a,b"},
}

func TestConformanceOfMetadata(t *testing.T) {
	conform(t, cases{
		"a handler sees what grpc adds": func(b *rig) {
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("metadata", withoutCompressors(md), metadata.MD{
					":authority":   {"localhost"},
					"content-type": {"application/grpc"},
					"user-agent":   {"grpc-go/" + grpc.Version},
				})
				return reply(""), nil
			}})
			var header, trailer metadata.MD
			_, err := client.UnaryCall(b.ctx, request(""), grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.succeeds("call", err)
			b.client.is("header", header, metadata.MD{"content-type": {"application/grpc"}})
			b.client.is("trailer", trailer, metadata.MD{})
		},
		"metadata of every form arrives in both directions": func(b *rig) {
			handle := func(ctx context.Context, server grpc.ServerTransportStream) {
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("metadata", only(md, keysOf(assorted)...), assorted)
				b.server.succeeds("set header", server.SetHeader(assorted))
				b.server.succeeds("set trailer", server.SetTrailer(assorted))
			}
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					handle(ctx, grpc.ServerTransportStreamFromContext(ctx))
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					handle(stream.Context(), grpc.ServerTransportStreamFromContext(stream.Context()))
					return stream.Send(outgoing(""))
				},
			})
			ctx := metadata.NewOutgoingContext(b.ctx, assorted)
			var header, trailer metadata.MD
			_, err := client.UnaryCall(ctx, request(""), grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.succeeds("call", err)
			b.client.is("header", only(header, keysOf(assorted)...), assorted)
			b.client.is("trailer", trailer, assorted)

			stream := b.chatWith(ctx, client)
			header, err = stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", only(header, keysOf(assorted)...), assorted)
			b.receives(stream, "")
			b.receivesEnd(stream)
			b.client.is("trailer", stream.Trailer(), assorted)
		},
		"keys become lower case and join": func(b *rig) {
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("metadata", only(md, "key", "other-bin"), metadata.MD{"key": {"first", "second", "third"}, "other-bin": {"\xff"}})
				b.server.is("value", metadata.ValueFromIncomingContext(ctx, "KEY"), []string{"first", "second", "third"})
				b.server.succeeds("set header", grpc.SetHeader(ctx, metadata.Pairs("MiXed", "a", "mixed", "b")))
				b.server.succeeds("set trailer", grpc.SetTrailer(ctx, metadata.Pairs("MiXed-Bin", "\x80")))
				return reply(""), nil
			}})
			ctx := metadata.NewOutgoingContext(b.ctx, metadata.Pairs("Key", "first"))
			ctx = metadata.AppendToOutgoingContext(ctx, "kEY", "second", "Other-BIN", "\xff", "KEY", "third")
			var header, trailer metadata.MD
			_, err := client.UnaryCall(ctx, request(""), grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.succeeds("call", err)
			b.client.is("header", only(header, "mixed"), metadata.MD{"mixed": {"a", "b"}})
			b.client.is("trailer", trailer, metadata.MD{"mixed-bin": {"\x80"}})
		},
		"a header can come before anything else": func(b *rig) {
			release := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				b.server.succeeds("send header", stream.SendHeader(metadata.Pairs("k", "v")))
				await(b, "the client to have the header", release)
				return stream.Send(outgoing(""))
			}})
			stream := b.chat(client)
			b.client.is("trailer before the end", stream.Trailer(), metadata.MD{})
			header, err := stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", header, metadata.MD{"content-type": {"application/grpc"}, "k": {"v"}})
			close(release)
			b.receives(stream, "")
			b.receivesEnd(stream)
			b.client.is("trailer", stream.Trailer(), metadata.MD{})
			again, err := stream.Header()
			b.client.succeeds("header again", err)
			b.client.is("header again", again, header)
		},
		"a header is sent once": func(b *rig) {
			const illegal = "transport: SendHeader called multiple times"
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.server.succeeds("set header", grpc.SetHeader(ctx, metadata.Pairs("k", "1")))
					b.server.succeeds("set header", grpc.SetHeader(ctx, metadata.Pairs("k", "2", "l", "1")))
					b.server.succeeds("set nothing", grpc.SetHeader(ctx, nil))
					b.server.succeeds("send header", grpc.SendHeader(ctx, metadata.Pairs("k", "3")))
					b.server.fails("send header again", grpc.SendHeader(ctx, metadata.Pairs("k", "4")), codes.Internal, illegal)
					b.server.fails("set header", grpc.SetHeader(ctx, metadata.Pairs("k", "5")), codes.Internal, illegal)
					b.server.succeeds("set nothing", grpc.SetHeader(ctx, nil))
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					b.server.succeeds("set header", stream.SetHeader(metadata.Pairs("k", "1")))
					b.server.succeeds("send", stream.Send(outgoing("")))
					b.server.fails("set header", stream.SetHeader(metadata.Pairs("k", "2")), codes.Internal, illegal)
					b.server.fails("send header", stream.SendHeader(metadata.Pairs("k", "3")), codes.Internal, illegal)
					b.server.fails("send no header", stream.SendHeader(nil), codes.Internal, illegal)
					return nil
				},
			})
			var header metadata.MD
			_, err := client.UnaryCall(b.ctx, request(""), grpc.Header(&header))
			b.client.succeeds("call", err)
			b.client.is("header", only(header, "k", "l"), metadata.MD{"k": {"1", "2", "3"}, "l": {"1"}})
			stream := b.chat(client)
			b.receives(stream, "")
			b.receivesEnd(stream)
			header, err = stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", only(header, "k"), metadata.MD{"k": {"1"}})
		},
		"trailers add up": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				stream.SetTrailer(nil)
				stream.SetTrailer(metadata.Pairs("k", "1"))
				b.server.succeeds("send", stream.Send(outgoing("")))
				stream.SetTrailer(metadata.Pairs("k", "2", "l", "1"))
				b.server.succeeds("set trailer", grpc.SetTrailer(stream.Context(), metadata.Pairs("k", "3")))
				return nil
			}})
			var trailer metadata.MD
			stream := b.chat(client, grpc.Trailer(&trailer))
			b.receives(stream, "")
			b.receivesEnd(stream)
			b.client.is("trailer", stream.Trailer(), metadata.MD{"k": {"1", "2", "3"}, "l": {"1"}})
			b.client.is("trailer by option", trailer, metadata.MD{"k": {"1", "2", "3"}, "l": {"1"}})
		},
		"many and large values arrive": func(b *rig) {
			md := metadata.MD{}
			for i := range 300 {
				md.Append("key", string(rune('a'+i%26)))
			}
			md.Set("large", string(make7bit(30_000)))
			md.Set("large-bin", string(make([]byte, 30_000)))
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				got, _ := metadata.FromIncomingContext(ctx)
				b.server.is("metadata", only(got, keysOf(md)...), md)
				b.server.succeeds("set header", grpc.SetHeader(ctx, md))
				b.server.succeeds("set trailer", grpc.SetTrailer(ctx, md))
				return reply(""), nil
			}})
			var header, trailer metadata.MD
			_, err := client.UnaryCall(metadata.NewOutgoingContext(b.ctx, md), request(""), grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.succeeds("call", err)
			b.client.is("header", only(header, keysOf(md)...), md)
			b.client.is("trailer", trailer, md)
		},
		"what a caller does to its metadata later changes nothing": func(b *rig) {
			release := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				await(b, "the client to change its metadata", release)
				md, _ := metadata.FromIncomingContext(stream.Context())
				b.server.is("metadata", only(md, "k"), metadata.MD{"k": {"v"}})
				header := metadata.Pairs("k", "v")
				b.server.succeeds("set header", stream.SetHeader(header))
				header.Set("k", "changed")
				md.Set("k", "changed")
				again, _ := metadata.FromIncomingContext(stream.Context())
				b.server.is("metadata again", only(again, "k"), metadata.MD{"k": {"v"}})
				return stream.Send(outgoing(""))
			}})
			md := metadata.Pairs("k", "v")
			stream := b.chatWith(metadata.NewOutgoingContext(b.ctx, md), client)
			md.Set("k", "changed")
			close(release)
			b.receives(stream, "")
			header, err := stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", only(header, "k"), metadata.MD{"k": {"v"}})
			b.receivesEnd(stream)
		},
	})
}

func keysOf(md metadata.MD) []string { return slices.Sorted(maps.Keys(md)) }

func make7bit(n int) []byte { return bytes.Repeat([]byte("0123456789"), n/10) }
