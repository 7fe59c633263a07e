package conformance_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// invalid is metadata that grpc does not send, and what it says of it. A key with capitals, given
// as a raw [metadata.MD], is another; the direct transport sends it, in small letters.
var invalid = []struct {
	md      metadata.MD
	message string
}{
	{metadata.MD{"bad key": {"v"}}, illegalKey("bad key")},
	{metadata.MD{"ünï": {"v"}}, illegalKey("ünï")},
	{metadata.MD{"bad\nkey-bin": {"v"}}, illegalKey("bad\nkey-bin")},
	{metadata.MD{"": {"v"}}, "there is an empty key in the header"},
	{metadata.MD{"key": {"line\nbreak"}}, illegalValue},
	{metadata.MD{"key": {"\x00"}}, illegalValue},
	{metadata.MD{"key": {"\x7f"}}, illegalValue},
	{metadata.MD{"key": {"good", "ünï"}}, illegalValue},
}

func illegalKey(key string) string {
	return fmt.Sprintf("header key %q contains illegal characters not in [0-9a-z-_.]", key)
}

const illegalValue = `header key "key" contains value with non-printable ASCII characters`

func TestConformanceOfOddMetadata(t *testing.T) {
	conform(t, cases{
		"some reserved keys of the client are not sent, and some are": func(b *rig) {
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				b.server.is("metadata", withoutCompressors(md), metadata.MD{
					":authority":                 {"localhost"},
					"content-type":               {"application/grpc"},
					"user-agent":                 {"grpc-go/" + grpc.Version},
					"grpc-accept-encoding":       {"forged"},
					"grpc-previous-rpc-attempts": {"forged"},
					"grpc-retry-pushback-ms":     {"1"},
					"grpc-tags-bin":              {"forged"},
					"grpc-trace-bin":             {"forged"},
					"grpc-made-up":               {"forged"},
					"grpc-status-details-bin":    {"forged"},
				})
				_, ok := ctx.Deadline()
				b.server.is("deadline", ok, false)
				return reply(""), nil
			}})
			ctx := metadata.NewOutgoingContext(b.ctx, reserved())
			_, err := client.UnaryCall(ctx, request(""))
			b.client.succeeds("call", err)
		},
		"some reserved keys of the server are not sent, and some are": func(b *rig) {
			client, _ := b.start(service{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				b.server.succeeds("set header", grpc.SetHeader(ctx, reserved()))
				b.server.succeeds("set trailer", grpc.SetTrailer(ctx, reserved()))
				return reply("hello"), nil
			}})
			var header, trailer metadata.MD
			resp, err := client.UnaryCall(b.ctx, request(""), grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, reply("hello"))
			kept := metadata.MD{
				"grpc-accept-encoding":       {"forged"},
				"grpc-made-up":               {"forged"},
				"grpc-previous-rpc-attempts": {"forged"},
				"grpc-retry-pushback-ms":     {"1"},
				"grpc-status-details-bin":    {"forged"},
				"grpc-tags-bin":              {"forged"},
				"grpc-trace-bin":             {"forged"},
			}
			b.client.is("trailer", trailer, kept)
			kept.Set("content-type", "application/grpc")
			b.client.is("header", header, kept)
		},
		"metadata that cannot be sent fails the call before it is made": func(b *rig) {
			client, _ := b.start(service{
				unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.Error("the call was made")
					return reply(""), nil
				},
			})
			for _, c := range invalid {
				ctx := metadata.NewOutgoingContext(b.ctx, c.md)
				_, err := client.UnaryCall(ctx, request(""))
				b.client.fails("call", err, codes.Internal, c.message)
				_, err = client.FullDuplexCall(ctx)
				b.client.fails("begin", err, codes.Internal, c.message)
			}
			// What was appended is checked, too.
			ctx := metadata.AppendToOutgoingContext(b.ctx, "good", "v", "bad key", "v")
			_, err := client.UnaryCall(ctx, request(""))
			b.client.fails("call", err, codes.Internal, illegalKey("bad key"))
		},
		"a server's stream does not take metadata that cannot be sent": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				for _, c := range invalid {
					b.server.fails("set header", stream.SetHeader(c.md), codes.Internal, c.message)
					b.server.fails("send header", stream.SendHeader(c.md), codes.Internal, c.message)
				}
				return nil
			}})
			stream := b.chat(client)
			b.receivesEnd(stream)
			b.client.is("trailer", stream.Trailer(), metadata.MD{"content-type": {"application/grpc"}})
		},
		// The functions that take the handler's context do not look at what they are given, and
		// the client refuses the header.
		"a unary handler's invalid header fails the call at the client": func(b *rig) {
			client, _ := b.start(service{unary: func(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md := metadata.MD{}
				for _, kv := range [][2]string{{"bad key", "v"}, {"key", "line\nbreak"}, {"key", "ünï"}, {"Upper", "v"}} {
					if textOf(req) == kv[0]+" "+kv[1] {
						md[kv[0]] = []string{kv[1]}
					}
				}
				b.server.succeeds("set header", grpc.SetHeader(ctx, md))
				return reply(""), nil
			}})
			_, err := client.UnaryCall(b.ctx, request("bad key v"))
			b.client.fails("call", err, codes.Internal, `invalid header field name "bad key"`)
			_, err = client.UnaryCall(b.ctx, request("key line\nbreak"))
			b.client.fails("call", err, codes.Internal, `invalid header field value for "key"`)
			_, err = client.UnaryCall(b.ctx, request("Upper v"))
			b.client.fails("call", err, codes.Internal, `invalid header field name "Upper"`)
			var header metadata.MD
			_, err = client.UnaryCall(b.ctx, request("key ünï"), grpc.Header(&header))
			b.client.succeeds("call", err)
			b.client.is("header", only(header, "key"), metadata.MD{"key": {"ünï"}})
		},
		// A stream's SetTrailer, which cannot return an error, complains in grpc's log only.
		"an invalid trailer fails the call at the client": func(b *rig) {
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.server.succeeds("set trailer", grpc.SetTrailer(ctx, metadata.MD{"bad key": {"v"}}))
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					stream.SetTrailer(metadata.MD{"bad key": {"v"}})
					return stream.Send(outgoing("sent"))
				},
			})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.Internal, `invalid header field name "bad key"`)
			stream := b.chat(client)
			b.receives(stream, "sent")
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.Internal, `invalid header field name "bad key"`)
			b.client.is("trailer", stream.Trailer(), metadata.MD{})
		},
		"pseudo-headers are left out": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				md, _ := metadata.FromIncomingContext(stream.Context())
				b.server.is("metadata", only(md, ":path", ":made-up", ":authority"), metadata.MD{":authority": {"localhost"}})
				b.server.succeeds("set header", stream.SetHeader(metadata.MD{":path": {"v"}, ":status": {"500"}}))
				stream.SetTrailer(metadata.MD{":path": {"v"}})
				return stream.Send(outgoing(""))
			}})
			stream := b.chatWith(metadata.NewOutgoingContext(b.ctx, metadata.MD{":path": {"v"}, ":made-up": {"v"}}), client)
			b.receives(stream, "")
			b.receivesEnd(stream)
			header, err := stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", header, metadata.MD{"content-type": {"application/grpc"}})
			b.client.is("trailer", stream.Trailer(), metadata.MD{})
		},
	})
}

func TestConformanceOfMetadataWithErrors(t *testing.T) {
	conform(t, cases{
		"header and trailer come with an error": func(b *rig) {
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.server.succeeds("set header", grpc.SetHeader(ctx, metadata.Pairs("h", "1")))
					b.server.succeeds("set trailer", grpc.SetTrailer(ctx, metadata.Pairs("t", "1")))
					return nil, errNotFound
				},
				chat: func(stream chatServer) error {
					b.server.succeeds("send header", stream.SendHeader(metadata.Pairs("h", "2")))
					stream.SetTrailer(metadata.Pairs("t", "2"))
					return errNotFound
				},
				list: func(_ *testpb.StreamingOutputCallRequest, stream listServer) error {
					b.server.succeeds("set header", stream.SetHeader(metadata.Pairs("h", "3")))
					stream.SetTrailer(metadata.Pairs("t", "3"))
					return errNotFound
				},
			})
			var header, trailer metadata.MD
			var p peer.Peer
			_, err := client.UnaryCall(b.ctx, request(""), grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&p))
			b.client.fails("call", err, codes.NotFound, "no such thing")
			b.client.is("header", header, metadata.MD{"content-type": {"application/grpc"}, "h": {"1"}})
			b.client.is("trailer", trailer, metadata.MD{"t": {"1"}})
			b.client.is("peer is known", p.Addr != nil, true)

			stream := b.chat(client)
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
			header, err = stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", header, metadata.MD{"content-type": {"application/grpc"}, "h": {"2"}})
			b.client.is("trailer", stream.Trailer(), metadata.MD{"t": {"2"}})

			list, err := client.StreamingOutputCall(b.ctx, incoming(""))
			b.client.succeeds("begin", err)
			header, err = list.Header()
			b.client.succeeds("header", err)
			b.client.is("header", header, metadata.MD{"content-type": {"application/grpc"}, "h": {"3"}})
			_, err = list.Recv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
			b.client.is("trailer", list.Trailer(), metadata.MD{"t": {"3"}})
		},
		"an error may come with nothing else": func(b *rig) {
			client, _ := b.start(service{
				unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) { return nil, errNotFound },
				chat:  func(chatServer) error { return errNotFound },
			})
			var header, trailer metadata.MD
			_, err := client.UnaryCall(b.ctx, request(""), grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.fails("call", err, codes.NotFound, "no such thing")
			b.client.is("header", header, metadata.MD(nil))
			b.client.is("trailer", trailer, metadata.MD{"content-type": {"application/grpc"}})

			stream := b.chat(client)
			header, err = stream.Header()
			b.client.succeeds("header", err)
			b.client.is("header", header, metadata.MD(nil))
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
			b.client.is("trailer", stream.Trailer(), metadata.MD{"content-type": {"application/grpc"}})

			header, err = stream.Header()
			b.client.succeeds("header at the end", err)
			b.client.is("header at the end", header, metadata.MD(nil))
		},
	})
}

var errNotFound = status.Error(codes.NotFound, "no such thing")

func reserved() metadata.MD {
	md := metadata.MD{}
	for _, k := range []string{"content-type", "user-agent", "grpc-message-type", "grpc-encoding", "grpc-message", "grpc-status", "grpc-timeout", "te",
		":authority", "grpc-accept-encoding", "grpc-previous-rpc-attempts", "grpc-tags-bin", "grpc-trace-bin", "grpc-made-up", "grpc-status-details-bin"} {
		md[k] = []string{"forged"}
	}
	md["grpc-retry-pushback-ms"] = []string{"1"}
	return md
}
