package udstest_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/udstest"
)

var greeting = udstest.For(greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS)

// transports are the ways that calls can go.
var transports = map[string][]runtime.ServerOption{
	"direct": nil,
	"HTTP2":  {runtime.HTTP2Only()},
}

func TestServeTakesEveryImplementation(t *testing.T) {
	t.Parallel()
	g := newGreeter()
	greet(t, greeting.Serve(t, *g))
	greet(t, greeting.Serve(t, g))
	var srv greeterv1.GreeterServer = g
	greet(t, greeting.Serve(t, srv))
}

func TestServeInOneCallTakesEveryImplementation(t *testing.T) {
	t.Parallel()
	g := newGreeter()
	called := false
	note := runtime.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		called = true
		return next(ctx, req)
	})
	greet(t, udstest.Serve(t, greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS, *g))
	greet(t, udstest.Serve(t, greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS, g, note))
	if !called {
		t.Error("the option did not reach the server")
	}
}

func TestServersAreApart(t *testing.T) {
	t.Parallel()
	for range 50 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			client := greeting.Serve(t, newGreeter())
			for range 10 {
				t.Run("", func(t *testing.T) {
					t.Parallel()
					greet(t, client)
				})
			}
		})
	}
}

func TestOptionsReachServerAndClient(t *testing.T) {
	t.Parallel()
	var atServer, atClient bool
	serverOption := runtime.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		atServer = true
		return next(ctx, req)
	})
	clientOption := runtime.WithUnaryInterceptor(func(ctx context.Context, method string, req, resp any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		atClient = true
		return next(ctx, method, req, resp, cc, opts...)
	})
	greet(t, greeting.Serve(t, newGreeter(), serverOption))
	if !atServer {
		t.Error("Serve: the option did not reach the server")
	}
	atServer = false
	srv := greeting.Start(t, newGreeter(), serverOption)
	client, _ := greeting.Dial(t, srv.Path(), clientOption)
	greet(t, client)
	if !atServer || !atClient {
		t.Errorf("Start and Dial: at the server %v, at the client %v", atServer, atClient)
	}
}

func TestSeveralServicesAndClientsShareAServer(t *testing.T) {
	t.Parallel()
	both := udstest.For(func(path string, g *greeter, opts ...runtime.ServerOption) (*runtime.Server, error) {
		srv, err := greeterv1.NewGreeterUDSServer(path, g, opts...)
		if err == nil {
			healthv1.RegisterHealthServer(srv, health.NewServer())
		}
		return srv, err
	}, greeterv1.DialGreeterUDS)
	srv := both.Start(t, newGreeter())
	for range 3 {
		client, conn := both.Dial(t, srv.Path())
		greet(t, client)
		if _, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	}
}

func TestServeConnectsTheClient(t *testing.T) {
	t.Parallel()
	dial := func(path string, opts ...runtime.DialOption) (*runtime.ClientConn, *runtime.ClientConn, error) {
		_, conn, err := greeterv1.DialGreeterUDS(path, append(opts, runtime.WithHTTP2Only())...)
		return conn, conn, err
	}
	conn := udstest.For(greeterv1.NewGreeterUDSServer, dial).Serve(t, newGreeter())
	// WaitReady with a context that has ended succeeds only if there is nothing to wait for.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := conn.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

func TestClientIsClosedFirstThenTheServerThenTheDirectoryGoes(t *testing.T) {
	t.Parallel()
	for name, opts := range transports {
		g := newGreeter()
		var stream grpc.ServerStreamingClient[greeterv1.CountdownResponse]
		var dir string
		t.Run(name, func(t *testing.T) {
			srv := greeting.Start(t, g, opts...)
			dir = filepath.Dir(srv.Path())
			client, _ := greeting.Dial(t, srv.Path())
			stream = endless(t, client)
			t.Cleanup(func() {
				if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}); err != nil {
					t.Errorf("a cleanup of the test cannot call: %v", err)
				}
			})
		})
		if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
			t.Errorf("%s: the stream ended with %v; want it canceled by its client", name, err)
		}
		select {
		case <-g.ended:
		default:
			t.Errorf("%s: the handler did not end before the test", name)
		}
		fixture.CheckMissing(t, dir)
	}
}

func TestWhatTheTestClosesItselfIsNoFailure(t *testing.T) {
	t.Parallel()
	srv := greeting.Start(t, newGreeter())
	client, conn := greeting.Dial(t, srv.Path())
	greet(t, client)
	if err := errors.Join(conn.Close(), srv.Close()); err != nil {
		t.Error(err)
	}
}

func TestServerThatIsNotUsedIsNoFailure(t *testing.T) {
	t.Parallel()
	for range 20 {
		t.Run("", func(t *testing.T) { greeting.Start(t, newGreeter()) })
	}
}

func TestCallsWorkInABubble(t *testing.T) {
	t.Parallel()
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := greeting.Serve(t, newGreeter(), opts...)
				greet(t, client)
				endless(t, client)
			})
		})
	}
}

func TestClientInABubbleCallsAServerOutside(t *testing.T) {
	t.Parallel()
	for name, opts := range transports {
		srv := greeting.Start(t, newGreeter(), opts...)
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := greeting.Dial(t, srv.Path())
				greet(t, client)
			})
		})
	}
}

func BenchmarkCall(b *testing.B) {
	client := greeting.Serve(b, newGreeter())
	for b.Loop() {
		greet(b, client)
	}
}

func FuzzGreet(f *testing.F) {
	client := greeting.Serve(f, newGreeter())
	f.Add("Ada")
	f.Fuzz(func(t *testing.T, name string) {
		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: strings.ToValidUTF8(name, "")})
		if err != nil || !strings.HasPrefix(resp.GetGreeting(), "Hello, ") {
			t.Errorf("%v, %v", resp, err)
		}
	})
}
