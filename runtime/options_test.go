package runtime_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestHealthFollowsTheServer(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, newGreeter(), runtime.Health())
	_, conn := greetertest.Dial(t, path)
	health := healthv1.NewHealthClient(conn)
	for _, service := range []string{"", "greeter.v1.Greeter"} {
		resp, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q is %v, %v", service, resp, err)
		}
	}
	_, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "unknown"})
	greetertest.CheckCode(t, err, codes.NotFound)

	watch, err := health.Watch(t.Context(), &healthv1.HealthCheckRequest{Service: "greeter.v1.Greeter"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING} {
		if resp, err := watch.Recv(); err != nil || resp.GetStatus() != want {
			t.Fatalf("watch says %v, %v; want %v", resp, err, want)
		}
		srv.Stop()
	}
}

func TestReflectionListsTheServicesInBothVersions(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, newGreeter(), runtime.Reflection())
	_, conn := greetertest.Dial(t, path)

	// The messages of both versions are the same on the wire.
	for _, service := range []string{"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"} {
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/"+service+"/ServerReflectionInfo")
		if err != nil {
			t.Fatal(err)
		}
		err = stream.SendMsg(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
		if err != nil {
			t.Fatal(err)
		}
		resp := &reflectionv1.ServerReflectionResponse{}
		if err := stream.RecvMsg(resp); err != nil || !strings.Contains(resp.String(), "greeter.v1.Greeter") {
			t.Errorf("%s lists %v, %v", service, resp, err)
		}
	}
}

func TestWithoutOptionNeitherHealthNorReflectionIsServed(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, newGreeter())
	if got := srv.GetServiceInfo(); len(got) != 1 {
		t.Errorf("services are %v", got)
	}
}

func TestOversizedMessageFailsItsCallAndNoOther(t *testing.T) {
	t.Parallel()
	big := &greeterv1.GreetRequest{Name: strings.Repeat("x", 100_000)}
	for name, c := range map[string]struct {
		server []runtime.ServerOption
		client []runtime.DialOption
	}{
		"request":        {server: []runtime.ServerOption{runtime.MaxRecvMsgSize(50_000)}},
		"response":       {client: []runtime.DialOption{runtime.WithMaxRecvMsgSize(50_000)}},
		"HTTP2 request":  {server: []runtime.ServerOption{runtime.MaxRecvMsgSize(50_000), runtime.HTTP2Only()}},
		"HTTP2 response": {client: []runtime.DialOption{runtime.WithMaxRecvMsgSize(50_000), runtime.WithHTTP2Only()}},
	} {
		path := fixture.FreePath(t)
		connections := &greetertest.ConnCounter{}
		greetertest.Serve(t, path, newGreeter(), append(c.server, runtime.StatsHandler(connections))...)
		client, _ := greetertest.Dial(t, path, c.client...)
		_, err := client.Greet(t.Context(), big)
		if greetertest.CheckCode(t, err, codes.ResourceExhausted); t.Failed() {
			t.Log(name)
		}
		greetertest.Greet(t, client)
		if n := connections.Begun.Load(); n != 1 && strings.HasPrefix(name, "HTTP2") {
			t.Errorf("%s: %d connections were needed", name, n)
		}
	}
}

func TestInterceptorsRunInTheOrderGiven(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	var order []string
	unary := func(name string) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			order = append(order, name)
			return next(ctx, req)
		}
	}
	clientUnary := func(name string) grpc.UnaryClientInterceptor {
		return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			order = append(order, name)
			return next(ctx, method, req, reply, cc, opts...)
		}
	}
	stream := func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		order = append(order, "server stream")
		return next(srv, ss)
	}
	clientStream := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		order = append(order, "client stream")
		return next(ctx, desc, cc, method, opts...)
	}
	greetertest.Serve(t, path, newGreeter(), runtime.UnaryInterceptor(unary("s1"), unary("s2")), runtime.UnaryInterceptor(unary("s3")),
		runtime.StreamInterceptor(stream))
	client, _ := greetertest.Dial(t, path, runtime.WithUnaryInterceptor(clientUnary("c1"), clientUnary("c2")), runtime.WithStreamInterceptor(clientStream))
	greetertest.Greet(t, client)
	down, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := down.Recv(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(order, ", "), "c1, c2, s1, s2, s3, client stream, server stream"; got != want {
		t.Errorf("interceptors ran as %s, want %s", got, want)
	}
}

func TestStatsHandlersSeeBothEnds(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	server, client := &greetertest.ConnCounter{}, &greetertest.ConnCounter{}
	greetertest.Serve(t, path, newGreeter(), runtime.StatsHandler(server))
	c, _ := greetertest.Dial(t, path, runtime.WithStatsHandler(client))
	greetertest.Greet(t, c)
	if server.Begun.Load() != 1 || client.Begun.Load() != 1 {
		t.Errorf("connections begun: server %d, client %d; want 1 each", server.Begun.Load(), client.Begun.Load())
	}
}

// As grpc's own options do. One that is nil would end the process.
func TestHandlersInterceptorsAndHooksThatAreNilAreIgnored(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, newGreeter(), runtime.StatsHandler(nil),
		runtime.UnaryInterceptor(nil, nil), runtime.StreamInterceptor(nil, nil))
	connected := make(chan struct{}, 1)
	c, conn := greetertest.Dial(t, path,
		runtime.WithStatsHandler(nil), runtime.WithOnConnect(nil), runtime.WithOnDisconnect(nil),
		runtime.WithUnaryInterceptor(nil, nil), runtime.WithStreamInterceptor(nil, nil),
		runtime.WithOnConnect(func() { connected <- struct{}{} }))
	greetertest.Greet(t, c)
	stream, err := c.Countdown(t.Context(), &greeterv1.CountdownRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Error(err)
	}
	<-connected
	conn.Close()
}
