package udstest_test

import (
	"context"
	"log/slog"
	"testing"

	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/udstest"
)

// hello is what the program serves, or what a test has in its place.
type hello struct {
	greeterv1.UnimplementedGreeterServer
}

func (hello) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName()}, nil
}

// A test in one call.
func Example() {
	_ = func(t *testing.T) {
		client := udstest.Serve(t, greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS, hello{})

		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "Ada"})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := resp.GetGreeting(), "Hello, Ada"; got != want {
			t.Errorf("greeting is %q, want %q", got, want)
		}
	}
}

// A function of the program's own adds a second service.
func ExampleFor() {
	newServer := func(path string, g hello, opts ...runtime.ServerOption) (*runtime.Server, error) {
		srv, err := greeterv1.NewGreeterUDSServer(path, g, opts...)
		if err != nil {
			return nil, err
		}
		healthv1.RegisterHealthServer(srv, health.NewServer())
		return srv, nil
	}
	both := udstest.For(newServer, greeterv1.DialGreeterUDS)

	_ = func(t *testing.T) {
		srv := both.Start(t, hello{})
		client, conn := both.Dial(t, srv.Path())
		healthClient := healthv1.NewHealthClient(conn)
		_, _ = client, healthClient
	}
}

// Serve takes the options of the server.
func ExampleService_Serve() {
	greeting := udstest.For(greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS)

	_ = func(t *testing.T) {
		log := slog.New(slog.NewTextHandler(t.Output(), nil))
		client := greeting.Serve(t, hello{}, runtime.AuditLog(log), runtime.MaxRecvMsgSize(1<<10))
		_ = client
	}
}

// A second client, with its own options, and its connection.
func ExampleService_Dial() {
	greeting := udstest.For(greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS)

	_ = func(t *testing.T) {
		srv := greeting.Start(t, hello{})
		client, _ := greeting.Dial(t, srv.Path())
		frugal, conn := greeting.Dial(t, srv.Path(), runtime.WithMaxRecvMsgSize(1<<10))
		if err := conn.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _ = client, frugal
	}
}

// A path for a server that the test looks after itself.
func ExamplePath() {
	_ = func(t *testing.T) {
		srv, err := greeterv1.NewGreeterUDSServer(udstest.Path(t), hello{})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
	}
}
