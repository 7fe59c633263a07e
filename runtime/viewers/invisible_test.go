package viewers_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/types/known/emptypb"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestProgramNoticesNothingOfViewers(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	conns, intercepted, audit := &greetertest.ConnCounter{}, atomic.Int64{}, &greetertest.Buffer{}
	srv := greetertest.Serve(t, path, greetertest.New(), runtime.StatsHandler(conns), runtime.Health(), runtime.Reflection(),
		runtime.AuditLog(slog.New(slog.NewTextHandler(audit, nil))), runtime.AuditAllowedCalls(),
		runtime.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			intercepted.Add(1)
			return next(ctx, req)
		}),
		runtime.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			intercepted.Add(1)
			return next(srv, ss)
		}))
	before := srv.Stats()
	v := look(t, path)
	v.next()
	if n := conns.Begun.Load(); n != 0 || intercepted.Load() != 0 || audit.String() != "" || srv.Stats() != before {
		t.Errorf("%d connections for stats handlers, %d calls for interceptors, audit log %q, %+v", n, intercepted.Load(), audit.String(), srv.Stats())
	}
	const name = "udsgrpc.inspect.v1.InspectService"
	if _, ok := srv.GetServiceInfo()[name]; ok {
		t.Error("GetServiceInfo has it")
	}
	for transport, opts := range transports {
		_, conn := greetertest.Dial(t, path, opts...)
		_, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: name})
		greetertest.CheckCode(t, err, codes.NotFound)
		err = conn.Invoke(t.Context(), inspectv1.InspectService_Snapshots_FullMethodName, &emptypb.Empty{}, &emptypb.Empty{})
		greetertest.CheckCode(t, err, codes.Unimplemented)
		stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if services := resp.GetListServicesResponse().String(); strings.Contains(services, name) || !strings.Contains(services, "greeter.v1.Greeter") {
			t.Errorf("over %s, reflection lists %s", transport, services)
		}
	}
	// And viewers see what they may: the calls just made.
	v.see("the calls over both transports", func(s *inspectv1.SnapshotsResponse) bool {
		return methodOf(s, healthv1.Health_Check_FullMethodName).GetCodes()[uint32(codes.NotFound)] == 2
	})
}

func TestViewersComeWhateverTheProgramDoesToCalls(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]runtime.ServerOption{
		"nobody may call":         runtime.Authorize(runtime.Policy{}),
		"no direct transport":     runtime.HTTP2Only(),
		"options of grpc":         runtime.GRPCServerOptions(grpc.MaxConcurrentStreams(1)),
		"one connection per user": runtime.MaxConnsPerUser(1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			greetertest.Serve(t, path, greetertest.New(), opt)
			client, _ := greetertest.Dial(t, path)
			v := look(t, path)
			client.Greet(t.Context(), &greeterv1.GreetRequest{})
			v.see("the call", func(s *inspectv1.SnapshotsResponse) bool { return methodOf(s, greet).GetStarted() == 1 })
		})
	}
}

func TestEventLogTellsOfEachViewer(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	log := &greetertest.Buffer{}
	greetertest.Serve(t, path, greetertest.New(), runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
	conn, err := ask(path)
	if err != nil {
		t.Fatal(err)
	}
	came := func() bool { return strings.Contains(log.String(), "viewer came") }
	fixture.Eventually(t, "the record", came)
	conn.Close()
	fixture.Eventually(t, "the other record", func() bool { return strings.Contains(log.String(), `msg="viewer left"`) })
	if text := log.String(); !strings.Contains(text, "peer.uid=") || !strings.Contains(text, "socket="+path) {
		t.Errorf("the log is %s", text)
	}
}
