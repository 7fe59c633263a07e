package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

func TestConformanceOfIdentity(t *testing.T) {
	conform(t, cases{
		"a handler knows who calls": func(b *rig) {
			check := func(ctx context.Context) {
				p, ok := runtime.PeerFromContext(ctx)
				b.server.is("peer is known", ok, true)
				b.server.is("process", p.PID, os.Getpid())
				b.server.is("user", p.UID, os.Getuid())
				b.server.is("group", p.GID, os.Getgid())
				grpcPeer, _ := peer.FromContext(ctx)
				b.server.is("type", grpcPeer.AuthInfo.AuthType(), "uds")
				b.server.is("network", grpcPeer.Addr.Network(), "unix")
				b.server.saw("address", b.normal(grpcPeer.Addr.String()))
				b.server.is("local address", b.normal(grpcPeer.LocalAddr.String()), "<socket>")
			}
			client, _ := b.start(service{
				unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					check(ctx)
					return reply(""), nil
				},
				chat: func(stream chatServer) error {
					check(stream.Context())
					return nil
				},
			})
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			b.receivesEnd(b.chat(client))
		},
		"whom the policy keeps out is refused call by call": func(b *rig) {
			refused := func(method string) string {
				return fmt.Sprintf("uid %d, gid %d, process %d may not call %s: the rule is uid 12345", os.Getuid(), os.Getgid(), os.Getpid(), method)
			}
			client, conn := b.start(service{
				unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					b.Error("the handler was called")
					return nil, nil
				},
				chat: func(chatServer) error {
					b.Error("the handler was called")
					return nil
				},
			}, runtime.Authorize(runtime.AllowUID(12345)), runtime.SocketMode(0o666))
			var header, trailer metadata.MD
			_, err := client.UnaryCall(b.ctx, request(""), grpc.Header(&header), grpc.Trailer(&trailer))
			b.client.fails("call", err, codes.PermissionDenied, refused(unaryMethod))
			b.client.is("header", header, metadata.MD(nil))
			b.client.is("trailer", trailer, metadata.MD{"content-type": {"application/grpc"}})
			stream := b.chat(client)
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.PermissionDenied, refused(chatMethod))
			list, err := client.StreamingOutputCall(b.ctx, incoming(""))
			b.client.succeeds("begin", err)
			_, err = list.Recv()
			b.client.fails("receive", err, codes.PermissionDenied, refused(listMethod))
			b.client.fails("unknown method", conn.Invoke(b.ctx, "/no.such.Service/Method", request(""), reply("")), codes.Unimplemented, "unknown service no.such.Service")
		},
		"a rule may be for one method": func(b *rig) {
			client, _ := b.start(service{}, runtime.AuthorizeMethod(chatMethod, runtime.AllowUID(12345)), runtime.SocketMode(0o666))
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("call", err)
			_, err = b.chat(client).Recv()
			b.client.failsSomehow("receive", err, codes.PermissionDenied)
		},
		"a client refuses a server that it does not trust": func(b *rig) {
			b.serve(service{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				b.Error("the handler was called")
				return nil, nil
			}})
			client, _ := b.dial(runtime.WithServerPolicy(runtime.AllowUID(12345)))
			refused := fmt.Sprintf("the server on <socket> is uid %d, gid %d, process %d, and this client talks to uid 12345 only: nothing was sent to it; if it is to be trusted, give the client runtime.WithServerPolicy(runtime.AllowUID(%[1]d))", os.Getuid(), os.Getgid(), os.Getpid())
			_, err := client.UnaryCall(b.ctx, request(""))
			b.client.fails("call", err, codes.PermissionDenied, refused)
			b.client.is("the server", untrusted(err), os.Getpid())
			_, err = client.FullDuplexCall(b.ctx)
			b.client.fails("begin", err, codes.PermissionDenied, refused)
			b.client.is("the server", untrusted(err), os.Getpid())
		},
	})
}

// untrusted returns the process that an error is about, because the client does not trust it; else 0.
func untrusted(err error) int {
	var e *runtime.UntrustedServerError
	if !errors.As(err, &e) {
		return 0
	}
	return e.Peer.PID
}

func TestConformanceOfBuiltInServices(t *testing.T) {
	conform(t, cases{
		"health is checked": func(b *rig) {
			_, conn := b.start(service{}, runtime.Health())
			client := healthv1.NewHealthClient(conn)
			for _, name := range []string{"", testpb.TestService_ServiceDesc.ServiceName, "grpc.health.v1.Health"} {
				resp, err := client.Check(b.ctx, &healthv1.HealthCheckRequest{Service: name})
				b.client.succeeds("check", err)
				b.client.is("health", resp.GetStatus(), healthv1.HealthCheckResponse_SERVING)
			}
			_, err := client.Check(b.ctx, &healthv1.HealthCheckRequest{Service: "none"})
			b.client.fails("check", err, codes.NotFound, "unknown service")
		},
		"health is watched until the server drains": func(b *rig) {
			srv := b.serve(service{}, runtime.Health(), runtime.ShutdownTimeout(time.Minute))
			_, conn := b.dial()
			watch, err := healthv1.NewHealthClient(conn).Watch(b.ctx, &healthv1.HealthCheckRequest{})
			b.client.succeeds("watch", err)
			resp, err := watch.Recv()
			b.client.succeeds("receive", err)
			b.client.is("health", resp.GetStatus(), healthv1.HealthCheckResponse_SERVING)
			srv.Stop()
			resp, err = watch.Recv()
			b.client.succeeds("receive", err)
			b.client.is("health", resp.GetStatus(), healthv1.HealthCheckResponse_NOT_SERVING)
			_, err = watch.Recv()
			b.client.fails("receive", err, codes.Unavailable, "the server drains")
			b.client.succeeds("serve", await(b, "the server to end", srv.Done))
		},
		"reflection lists the services": func(b *rig) {
			_, conn := b.start(service{}, runtime.Reflection())
			stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(b.ctx)
			b.client.succeeds("begin", err)
			b.client.succeeds("send", stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}))
			resp, err := stream.Recv()
			b.client.succeeds("receive", err)
			var names []string
			for _, s := range resp.GetListServicesResponse().GetService() {
				if s.GetName() != filetestv1.Files_ServiceDesc.ServiceName { // which only one transport has
					names = append(names, s.GetName())
				}
			}
			b.client.is("services", names, []string{"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "grpc.testing.TestService"})
			b.client.succeeds("half-close", stream.CloseSend())
			_, err = stream.Recv()
			b.client.ends("receive at the end", err)
		},
	})
}

func TestConformanceUnderLoad(t *testing.T) {
	conform(t, cases{
		"many calls of every kind at once get their own answers": func(b *rig) {
			b.carriedElsewhere() // what is beyond the cap of connections
			const callers, calls = 200, 8
			client, _ := b.start(service{unary: func(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				if got := md["caller"]; !slices.Equal(got, []string{textOf(req)}) {
					return nil, status.Errorf(codes.DataLoss, "metadata of another call: %q", got)
				}
				if err := grpc.SetTrailer(ctx, metadata.Pairs("caller", textOf(req))); err != nil {
					return nil, err
				}
				return reply(textOf(req)), nil
			}})
			unary := func(ctx context.Context, text string) error {
				var trailer metadata.MD
				resp, err := client.UnaryCall(metadata.AppendToOutgoingContext(ctx, "caller", text), request(text), grpc.Trailer(&trailer))
				if err != nil || textOf(resp) != text || !slices.Equal(trailer["caller"], []string{text}) {
					return fmt.Errorf("reply %q, trailer %q: %w", textOf(resp), trailer, err)
				}
				return nil
			}
			gather := func(ctx context.Context, text string) error {
				stream, err := client.StreamingInputCall(ctx)
				if err != nil {
					return err
				}
				for range 3 {
					if err := stream.Send(part(text)); err != nil {
						return err
					}
				}
				resp, err := stream.CloseAndRecv()
				if err != nil || int(resp.GetAggregatedPayloadSize()) != 3*len(text) {
					return fmt.Errorf("sum %v: %w", resp, err)
				}
				return nil
			}
			chat := func(ctx context.Context, text string) error {
				stream, err := client.FullDuplexCall(ctx)
				if err != nil {
					return err
				}
				for i := range 3 {
					want := fmt.Sprint(text, i)
					if err := stream.Send(incoming(want)); err != nil {
						return err
					}
					if m, err := stream.Recv(); err != nil || textOf(m) != want {
						return fmt.Errorf("response %v: %w", m, err)
					}
				}
				if err := stream.CloseSend(); err != nil {
					return err
				}
				if _, err := stream.Recv(); err != io.EOF {
					return fmt.Errorf("end: %w", err)
				}
				return nil
			}
			abandoned := func(ctx context.Context, text string) error {
				ctx, cancel := context.WithCancel(ctx)
				stream, err := client.FullDuplexCall(ctx)
				if err != nil {
					cancel()
					return err
				}
				err = stream.Send(incoming(text))
				cancel()
				return err
			}
			kinds := []func(context.Context, string) error{unary, gather, chat, abandoned}
			errs := make(chan error, callers)
			for caller := range callers {
				go func() {
					for call := range calls {
						text := fmt.Sprintf("%d of %d", call, caller)
						if err := kinds[(caller+call)%len(kinds)](b.ctx, text); err != nil {
							errs <- fmt.Errorf("call %s: %w", text, err)
							return
						}
					}
					errs <- nil
				}()
			}
			for range callers {
				b.client.succeeds("caller", await(b, "a caller", errs))
			}
		},
	})
}
