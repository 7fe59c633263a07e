package restarts_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// considerate has an endless stream that ends when the server drains.
type considerate struct {
	greeterv1.UnimplementedGreeterServer
}

func (considerate) Countdown(_ *greeterv1.CountdownRequest, stream greeterv1.Greeter_CountdownServer) error {
	if err := stream.Send(&greeterv1.CountdownResponse{}); err != nil {
		return err
	}
	select {
	case <-runtime.DrainingFromContext(stream.Context()):
		return status.Error(codes.Aborted, "the server drains")
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

func (considerate) Greet(ctx context.Context, _ *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	select {
	case <-runtime.DrainingFromContext(ctx):
		return nil, status.Error(codes.Aborted, "the server drains")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestHandlersLearnThatTheServerDrains(t *testing.T) {
	t.Parallel()
	for transport, opts := range map[string][]runtime.DialOption{"direct": nil, "http2": {runtime.WithHTTP2Only()}} {
		for how, end := range map[string]func(*greetertest.Served){
			"stop":  func(s *greetertest.Served) { s.Stop() },
			"close": func(s *greetertest.Served) { s.Close() },
		} {
			t.Run(how+" over "+transport, func(t *testing.T) {
				t.Parallel()
				path := fixture.FreePath(t)
				srv := greetertest.Serve(t, path, considerate{}, runtime.ShutdownTimeout(fixture.Guard))
				client, _ := greetertest.Dial(t, path, opts...)
				stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
				select {
				case <-srv.Draining():
					t.Fatal("the server drains from the start")
				default:
				}
				end(srv)
				<-srv.Draining()
				_, err = stream.Recv()
				if how == "stop" {
					greetertest.CheckCode(t, err, codes.Aborted)
				}
				if err := <-srv.Done; err != nil || srv.HandedOver() {
					t.Errorf("Serve returned %v; that it has handed over is %v", err, srv.HandedOver())
				}
			})
		}
	}
}

func TestUnaryHandlerLearnsThatTheServerDrains(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	calls := make(chan struct{}, 1)
	srv := greetertest.Serve(t, path, considerate{}, runtime.ShutdownTimeout(fixture.Guard), runtime.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			calls <- struct{}{}
			return next(ctx, req)
		}))
	client, _ := greetertest.Dial(t, path)
	ended := make(chan error, 1)
	go func() {
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
		ended <- err
	}()
	<-calls
	srv.Stop()
	greetertest.CheckCode(t, <-ended, codes.Aborted)
	if err := <-srv.Done; err != nil {
		t.Error(err)
	}
}

func TestDrainingIsNeverToldOutsideOfCalls(t *testing.T) {
	t.Parallel()
	if ch := runtime.DrainingFromContext(t.Context()); ch != nil {
		t.Error("a context of no call has a channel")
	}
}

// A watch of health has no end of its own, and must not delay the end of the server.
func TestHealthWatchDoesNotHoldADrain(t *testing.T) {
	t.Parallel()
	for transport, opts := range map[string][]runtime.DialOption{"direct": nil, "http2": {runtime.WithHTTP2Only()}} {
		for service, first := range map[string]healthv1.HealthCheckResponse_ServingStatus{
			"":        healthv1.HealthCheckResponse_SERVING,
			"unknown": healthv1.HealthCheckResponse_SERVICE_UNKNOWN,
		} {
			t.Run(transport+" "+service, func(t *testing.T) {
				t.Parallel()
				path := fixture.FreePath(t)
				srv := greetertest.Serve(t, path, greetertest.New(), runtime.Health(), runtime.ShutdownTimeout(fixture.Guard))
				_, conn := greetertest.Dial(t, path, opts...)
				watch, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{Service: service})
				if err != nil {
					t.Fatal(err)
				}
				if r, err := watch.Recv(); err != nil || r.GetStatus() != first {
					t.Fatalf("the watch says %v, %v; want %v", r, err, first)
				}
				srv.Stop()
				if r, err := watch.Recv(); err != nil || r.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
					t.Errorf("at the drain the watch says %v, %v", r, err)
				}
				_, err = watch.Recv()
				greetertest.CheckCode(t, err, codes.Unavailable)
				if err := <-srv.Done; err != nil {
					t.Error(err)
				}
			})
		}
	}
}
