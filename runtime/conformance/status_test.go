package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/udsgrpc/udsgrpc/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

var statusMessages = map[string]string{
	"empty":     "",
	"plain":     "no such thing",
	"unicode":   "ünï 漢 🙂",
	"newlines":  "first\nsecond\r\nthird\ttab",
	"percent":   "100% %41 %zz %",
	"NUL":       "a\x00b\x7f",
	"spaces":    "  around  ",
	"not UTF-8": "\xff\xfe text",
	"long":      strings.Repeat("0123456789", 700),
}

func TestConformanceOfStatus(t *testing.T) {
	conform(t, cases{
		"every code arrives": func(b *rig) {
			byNumber := func(text string) error {
				n, err := strconv.ParseUint(text, 10, 32)
				if err != nil {
					return err
				}
				return status.Error(codes.Code(n), "code "+text)
			}
			client, _ := b.start(service{
				unary: func(_ context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					return reply("fine"), byNumber(textOf(req))
				},
				list: func(req *testpb.StreamingOutputCallRequest, stream listServer) error {
					return byNumber(textOf(req))
				},
			})
			for _, code := range []codes.Code{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 77, 1000, math.MaxInt32} {
				text := fmt.Sprint(uint32(code))
				resp, err := client.UnaryCall(b.ctx, request(text))
				stream, begin := client.StreamingOutputCall(b.ctx, incoming(text))
				b.client.succeeds("begin", begin)
				_, end := stream.Recv()
				if code == codes.OK {
					b.client.succeeds("call", err)
					b.client.is("reply", resp, reply("fine"))
					b.client.ends("stream", end)
					continue
				}
				b.client.fails("call", err, code, "code "+text)
				b.client.is("reply", resp, (*testpb.SimpleResponse)(nil))
				b.client.fails("stream", end, code, "code "+text)
			}
		},
		"an error whose status is OK is a success without a reply": func(b *rig) {
			client, _ := b.start(service{
				unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					return reply(""), withOKStatus{}
				},
				list: func(*testpb.StreamingOutputCallRequest, listServer) error { return withOKStatus{} },
			})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.Internal, "cardinality violation: received no response message from non-server-streaming RPC")
			stream, err := client.StreamingOutputCall(b.ctx, incoming(""))
			b.client.succeeds("begin", err)
			_, err = stream.Recv()
			b.client.ends("stream", err)
		},
		"a code above those that fit is Unknown": func(b *rig) {
			if strconv.IntSize == 32 {
				return // grpc-go makes an int of it there, -1, which its client takes for the code
			}
			client, _ := b.start(service{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				return nil, status.Error(codes.Code(math.MaxUint32), "too big")
			}})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.Unknown, `transport: malformed grpc-status: strconv.ParseInt: parsing "4294967295": value out of range`)
		},
		"every message arrives": func(b *rig) {
			client, _ := b.start(service{
				unary: func(_ context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					return nil, status.Error(codes.NotFound, statusMessages[textOf(req)])
				},
				list: func(req *testpb.StreamingOutputCallRequest, stream listServer) error {
					if err := stream.Send(outgoing("")); err != nil {
						return err
					}
					return status.Error(codes.NotFound, statusMessages[textOf(req)])
				},
			})
			for _, name := range slices.Sorted(maps.Keys(statusMessages)) {
				want := statusMessages[name]
				if name == "not UTF-8" {
					want = "\ufffd\ufffd text"
				}
				_, err := client.UnaryCall(b.ctx, request(name))
				b.client.fails("call", err, codes.NotFound, want)
				stream, err := client.StreamingOutputCall(b.ctx, incoming(name))
				b.client.succeeds("begin", err)
				_, err = stream.Recv()
				b.client.succeeds("receive", err)
				_, err = stream.Recv()
				b.client.fails("stream", err, codes.NotFound, want)
			}
		},
		"details arrive as they are": func(b *rig) {
			s, err := status.New(codes.FailedPrecondition, "see the details").WithDetails(request("one"), &testpb.Empty{}, durationpb.New(time.Second))
			if err != nil {
				b.Fatal(err)
			}
			withUnknown := s.Proto()
			withUnknown.Details = append(withUnknown.Details, &anypb.Any{TypeUrl: "example.com/no.such.Type", Value: []byte{0xff, 0, 0xfe}}, &anypb.Any{})
			want := status.FromProto(withUnknown)
			client, _ := b.start(service{
				unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) { return nil, want.Err() },
				chat:  func(chatServer) error { return want.Err() },
			})
			var trailer metadata.MD
			_, err = client.UnaryCall(b.ctx, request(""), grpc.Trailer(&trailer))
			b.client.fails("call", err, codes.FailedPrecondition, "see the details")
			b.client.is("status", status.Convert(err).Proto(), want.Proto())
			b.client.is("keys of the trailer", keysOf(trailer), []string{"content-type", "grpc-status-details-bin"})
			stream := b.chat(client)
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.FailedPrecondition, "see the details")
			b.client.is("status", status.Convert(err).Proto(), want.Proto())
			b.client.is("keys of the trailer", keysOf(stream.Trailer()), []string{"content-type", "grpc-status-details-bin"})
		},
		// A handler can set the key of the trailer that has them. If its status is another one, it is no success.
		"details that contradict the status are an error": func(b *rig) {
			forged := map[string][]string{}
			for code := range codes.Code(3) {
				p, err := proto.Marshal(&spb.Status{Code: int32(code), Message: "forged"})
				if err != nil {
					b.Fatal(err)
				}
				forged[code.String()] = []string{string(p)}
			}
			forged["two"] = []string{forged["Canceled"][0], forged["OK"][0]}
			answer := func(ctx context.Context) (string, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				code, err := strconv.Atoi(md.Get("code")[0])
				if err != nil {
					b.Error(err)
				}
				return md.Get("details")[0], status.Error(codes.Code(code), "true")
			}
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					details, err := answer(ctx)
					b.server.succeeds("set trailer", grpc.SetTrailer(ctx, metadata.MD{"grpc-status-details-bin": forged[details]}))
					return reply(""), err
				},
				chat: func(stream chatServer) error {
					details, err := answer(stream.Context())
					stream.SetTrailer(metadata.MD{"grpc-status-details-bin": forged[details]})
					return err
				},
			})
			for code := range codes.Code(3) {
				for _, details := range slices.Sorted(maps.Keys(forged)) {
					ctx := metadata.AppendToOutgoingContext(b.ctx, "code", strconv.Itoa(int(code)), "details", details)
					_, err := client.UnaryCall(ctx, request(""))
					b.client.is("code of "+code.String()+" with "+details, status.Code(err), contradicted(code, details))
					b.client.saw("error", b.outcome(err))
					stream, err := client.FullDuplexCall(ctx)
					b.client.succeeds("begin", err)
					_, err = stream.Recv()
					if errors.Is(err, io.EOF) {
						err = nil
					}
					b.client.is("code of a stream", status.Code(err), contradicted(code, details))
					b.client.saw("error", b.outcome(err))
				}
			}
		},
		"large details arrive": func(b *rig) {
			s, err := status.New(codes.Aborted, "large").WithDetails(request(strings.Repeat("x", 5_200)))
			if err != nil {
				b.Fatal(err)
			}
			client, _ := b.start(service{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) { return nil, s.Err() }})
			_, err = client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.Aborted, "large")
			b.client.is("status is the same", proto.Equal(status.Convert(err).Proto(), s.Proto()), true)
		},
		"a text over the limit is cut, with a mark": func(b *rig) {
			texts := map[string]struct {
				text string
				want string
			}{
				"letters":   {strings.Repeat("x", 100_000), strings.Repeat("x", 7168-33) + " [cut: the text has 100000 bytes]"},
				"percent":   {strings.Repeat("%", 7168), strings.Repeat("%", (7168-31)/3) + " [cut: the text has 7168 bytes]"},
				"umlauts":   {strings.Repeat("ü", 50_000), strings.Repeat("ü", (7168-33)/6) + " [cut: the text has 100000 bytes]"},
				"not UTF-8": {strings.Repeat("\xff", 7168), strings.Repeat("\ufffd", (7168-31)/9) + " [cut: the text has 7168 bytes]"},
			}
			client, _ := b.start(service{
				unary: func(_ context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					return nil, status.Error(codes.Aborted, texts[textOf(req)].text)
				},
				list: func(req *testpb.StreamingOutputCallRequest, stream listServer) error {
					return errors.New(texts[textOf(req)].text)
				},
			})
			for _, name := range slices.Sorted(maps.Keys(texts)) {
				_, err := client.UnaryCall(b.ctx, request(name))
				b.client.fails("call with "+name, err, codes.Aborted, texts[name].want)
				stream, err := client.StreamingOutputCall(b.ctx, incoming(name))
				b.client.succeeds("open", err)
				_, err = stream.Recv()
				b.client.fails("stream with "+name, err, codes.Unknown, texts[name].want)
			}
		},
		"details over the limit are left out, with a mark": func(b *rig) {
			s, err := status.New(codes.Aborted, "large").WithDetails(request(strings.Repeat("x", 5_400)))
			if err != nil {
				b.Fatal(err)
			}
			long, err := status.New(codes.Aborted, strings.Repeat("y", 8000)).WithDetails(request("kept"))
			if err != nil {
				b.Fatal(err)
			}
			client, _ := b.start(service{unary: func(_ context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				if textOf(req) == "long" {
					return nil, long.Err()
				}
				return nil, s.Err()
			}})
			_, err = client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.Aborted, "large [details of 5460 bytes left out]")
			b.client.is("details", len(status.Convert(err).Details()), 0)
			_, err = client.UnaryCall(b.ctx, request("long"))
			// Beside details a byte of the text counts 1 and 4/3.
			b.client.fails("call with a long text", err, codes.Aborted, strings.Repeat("y", 3034-31)+" [cut: the text has 8000 bytes]")
			b.client.is("its details", len(status.Convert(err).Details()), 1)
		},
		"what a handler returns becomes a status": func(b *rig) {
			inner := status.Error(codes.NotFound, "inner")
			returned := map[string]struct {
				err     error
				code    codes.Code
				message string
			}{
				"plain error":       {errors.New("plain"), codes.Unknown, "plain"},
				"empty error":       {errors.New(""), codes.Unknown, ""},
				"Canceled":          {context.Canceled, codes.Canceled, "context canceled"},
				"DeadlineExceeded":  {context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded"},
				"wrapped Canceled":  {fmt.Errorf("outer: %w", context.Canceled), codes.Canceled, "outer: context canceled"},
				"wrapped deadline":  {fmt.Errorf("outer: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "outer: context deadline exceeded"},
				"EOF":               {io.EOF, codes.Unknown, "EOF"},
				"unexpected EOF":    {io.ErrUnexpectedEOF, codes.Unknown, "unexpected EOF"},
				"wrapped status":    {fmt.Errorf("outer: %w", inner), codes.NotFound, "outer: rpc error: code = NotFound desc = inner"},
				"joined status":     {errors.Join(errors.New("first"), inner), codes.NotFound, "first\nrpc error: code = NotFound desc = inner"},
				"error with status": {withStatus{}, codes.DataLoss, "of its own"},
				"nil status":        {withNilStatus{}, codes.Unknown, "has no status"},
			}
			client, _ := b.start(service{
				unary: func(_ context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					return reply("ignored"), returned[textOf(req)].err
				},
				list: func(req *testpb.StreamingOutputCallRequest, stream listServer) error {
					return returned[textOf(req)].err
				},
			})
			for _, name := range slices.Sorted(maps.Keys(returned)) {
				want := returned[name]
				_, err := client.UnaryCall(b.ctx, request(name))
				b.client.fails("call that returns "+name, err, want.code, want.message)
				stream, err := client.StreamingOutputCall(b.ctx, incoming(name))
				b.client.succeeds("begin", err)
				_, err = stream.Recv()
				b.client.fails("stream that returns "+name, err, want.code, want.message)
			}
		},
		"a reply that is nil is an empty message": func(b *rig) {
			client, _ := b.start(service{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) { return nil, nil }})
			resp, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, &testpb.SimpleResponse{})
		},
		"so is one that is no value at all": func(b *rig) {
			client, _ := b.start(service{}, runtime.UnaryInterceptor(
				func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) { return nil, nil }))
			resp, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, &testpb.SimpleResponse{})
		},
		"a reply that is no message fails the call": func(b *rig) {
			replies := map[string]any{"text": "text", "struct": struct{}{}, "pointer": new(int)}
			client, _ := b.start(service{}, runtime.UnaryInterceptor(
				func(_ context.Context, req any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
					return replies[textOf(req.(*testpb.SimpleRequest))], nil
				}))
			for _, name := range slices.Sorted(maps.Keys(replies)) {
				_, err := client.UnaryCall(b.ctx, request(name))
				b.client.fails("call", err, codes.Internal, fmt.Sprintf("grpc: error while marshaling: proto: failed to marshal, message is %T, want proto.Message", replies[name]))
			}
		},
		"a message of a stream that cannot be marshalled fails the call": func(b *rig) {
			client, _ := b.start(service{chat: func(stream chatServer) error {
				b.server.succeeds("send", stream.Send(outgoing("good")))
				err := stream.SendMsg("bad")
				b.server.fails("send", err, codes.Internal, "grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
				b.server.fails("send again", stream.SendMsg("bad"), codes.Internal, "grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
				return nil
			}})
			stream := b.chat(client)
			b.receives(stream, "good")
			_, err := stream.Recv()
			b.client.fails("receive", err, codes.Internal, "grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
		},
		"a request that cannot be marshalled fails the call": func(b *rig) {
			client, conn := b.start(service{})
			b.client.fails("call", conn.Invoke(b.ctx, unaryMethod, "bad", reply("")), codes.Internal, "grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
			stream := b.chat(client)
			b.client.succeeds("send", stream.Send(incoming("good")))
			b.receives(stream, "good")
			b.client.fails("send", stream.SendMsg("bad"), codes.Internal, "grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
			_, err := stream.Recv()
			b.client.fails("receive", err, codes.Internal, "grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
		},
		"a message that cannot be unmarshalled fails the call": func(b *rig) {
			client, conn := b.start(service{})
			const wrong = "grpc: failed to unmarshal the received message: failed to unmarshal, message is *string, want proto.Message"
			b.client.fails("call", conn.Invoke(b.ctx, unaryMethod, request(""), new(string)), codes.Internal, wrong)
			stream := b.chat(client)
			b.client.succeeds("send", stream.Send(incoming("")))
			b.client.fails("receive", stream.RecvMsg(new(string)), codes.Internal, wrong)
			_, err := stream.Recv()
			b.client.fails("receive again", err, codes.Internal, wrong)
		},
		"bytes that are no message of the type fail the call at the server": func(b *rig) {
			_, conn := b.start(service{})
			// Field 3 of SimpleRequest is a message; here it is a text that is none.
			bad := &testpb.LoadBalancerStatsRequest{}
			bad.ProtoReflect().SetUnknown([]byte{0x1a, 2, 0xff, 0xff})
			b.client.fails("call", conn.Invoke(b.ctx, unaryMethod, bad, reply("")), codes.Internal, "grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data")
			stream, err := conn.NewStream(b.ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, chatMethod)
			b.client.succeeds("begin", err)
			b.client.succeeds("send", stream.SendMsg(bad))
			b.client.fails("receive", stream.RecvMsg(outgoing("")), codes.Internal, "grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data")
		},
		"text that is not UTF-8 fails the call": func(b *rig) {
			_, conn := b.start(service{})
			err := conn.Invoke(b.ctx, unaryMethod, &testpb.SimpleResponse{Username: "\xff"}, reply(""))
			b.client.fails("call", err, codes.Internal, "grpc: error while marshaling: string field contains invalid UTF-8")
		},
	})
}

// withStatus and the like are errors that bring their own status.
type withStatus struct{}

func (withStatus) Error() string              { return "not this text" }
func (withStatus) GRPCStatus() *status.Status { return status.New(codes.DataLoss, "of its own") }

type withNilStatus struct{}

func (withNilStatus) Error() string              { return "has no status" }
func (withNilStatus) GRPCStatus() *status.Status { return nil }

type withOKStatus struct{}

func (withOKStatus) Error() string              { return "says OK" }
func (withOKStatus) GRPCStatus() *status.Status { return status.New(codes.OK, "says OK") }

// contradicted returns the code of a call whose handler has returned this one, with these forged details.
func contradicted(code codes.Code, details string) codes.Code {
	if details == "two" || details == code.String() {
		return code
	}
	return codes.Internal
}
