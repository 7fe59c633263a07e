package udstest_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/udstest"
)

func checkFailure(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(got, text) {
			t.Errorf("the test fails with %q; want %q in it", got, text)
		}
	}
}

func TestServerThatCannotStartEndsTheTestAtOnce(t *testing.T) {
	t.Parallel()
	twice := udstest.For(func(path string, g *greeter, opts ...runtime.ServerOption) (*runtime.Server, error) {
		srv, err := greeterv1.NewGreeterUDSServer(path, g, opts...)
		if err == nil {
			greeterv1.RegisterGreeterServer(srv, g)
		}
		return srv, err
	}, greeterv1.DialGreeterUDS)
	closed := udstest.For(func(path string, g *greeter, opts ...runtime.ServerOption) (*runtime.Server, error) {
		srv, err := greeterv1.NewGreeterUDSServer(path, g, opts...)
		if err == nil {
			srv.Close()
		}
		return srv, err
	}, greeterv1.DialGreeterUDS)
	for name, c := range map[string]struct {
		start func(testing.TB)
		want  string
	}{
		"bad option":             {func(tb testing.TB) { greeting.Start(tb, newGreeter(), runtime.ShutdownTimeout(-1)) }, "shutdown timeout"},
		"no implementation":      {func(tb testing.TB) { greeting.Start(tb, nil) }, "the implementation is nil"},
		"registered twice":       {func(tb testing.TB) { twice.Start(tb, newGreeter()) }, "registered already"},
		"closed before":          {func(tb testing.TB) { closed.Start(tb, newGreeter()) }, grpc.ErrServerStopped.Error()},
		"the same with a client": {func(tb testing.TB) { greeting.Serve(tb, nil) }, "the implementation is nil"},
	} {
		got := record(t, func(tb testing.TB) {
			c.start(tb)
			t.Errorf("%s: the test goes on", name)
		})
		checkFailure(t, got, "udstest: the server cannot start", c.want)
		if n := strings.Count(got, c.want); n != 1 {
			t.Errorf("%s: said %d times: %s", name, n, got)
		}
	}
}

// stranger has a method of that name, and not the service's.
type stranger struct{}

func (stranger) Greet() {}

func TestOneThatDoesNotImplementTheServiceEndsTheTestAtOnce(t *testing.T) {
	t.Parallel()
	for want, impl := range map[string]any{
		"is nil, not greeterv1.GreeterServer":                     nil,
		"stranger is not greeterv1.GreeterServer: missing method": stranger{},
		"string is not greeterv1.GreeterServer: missing method":   "greeter",
	} {
		got := record(t, func(tb testing.TB) {
			udstest.Serve(tb, greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS, impl)
			t.Errorf("%v: the test goes on", impl)
		})
		checkFailure(t, got, "udstest: the server cannot start", want)
	}
}

func TestClientThatCannotBeMadeEndsTheTestAtOnce(t *testing.T) {
	t.Parallel()
	got := record(t, func(tb testing.TB) {
		greeting.Dial(tb, "unix://relative")
		t.Error("the test goes on")
	})
	checkFailure(t, got, "udstest: the client cannot be made", "unix://relative")
}

func TestClientThatDoesNotConnectEndsTheTest(t *testing.T) {
	t.Parallel()
	closed := udstest.For(greeterv1.NewGreeterUDSServer,
		func(path string, opts ...runtime.DialOption) (greeterv1.GreeterClient, *runtime.ClientConn, error) {
			client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
			if err == nil {
				conn.Close()
			}
			return client, conn, err
		})
	got := record(t, func(tb testing.TB) {
		closed.Serve(tb, newGreeter())
		t.Error("the test goes on")
	})
	checkFailure(t, got, "udstest: client and server do not come together", net.ErrClosed.Error())
}

func TestHandlerThatDoesNotReturnFailsTheTest(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]runtime.ServerOption{
		"direct":                    nil,
		"HTTP2":                     {runtime.HTTP2Only()},
		"server waits for handlers": {runtime.GRPCServerOptions(grpc.WaitForHandlers(true))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() {
				t.Skip("it takes five seconds")
			}
			checkHangingHandler(t, opts)
		})
	}
	t.Run("in a bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			checkHangingHandler(t, []runtime.ServerOption{runtime.HTTP2Only()})
		})
	})
}

func checkHangingHandler(t *testing.T, opts []runtime.ServerOption) {
	g := newGreeter()
	entered, release := make(chan struct{}), make(chan struct{})
	g.greet = func(context.Context) {
		close(entered)
		hangInTest(release)
	}
	got := record(t, func(tb testing.TB) {
		client := greeting.Serve(tb, g, opts...)
		endless(tb, client)
		go client.Greet(context.Background(), &greeterv1.GreetRequest{})
		<-entered
	})
	close(release)
	checkFailure(t, got, "udstest: handlers go on", "let them return", "1 × /greeter.v1.Greeter/Greet\n", "hangInTest")
	if strings.Contains(got, "Greeter/Countdown") {
		t.Errorf("the handler that has returned is accused: %s", got)
	}
}

func hangInTest(release <-chan struct{}) { <-release }

func TestHandlerThatEndsItsGoroutineFailsTheTestAndTheCall(t *testing.T) {
	t.Parallel()
	for name, opts := range transports {
		g := newGreeter()
		var callErr error
		got := record(t, func(tb testing.TB) {
			g.greet = func(context.Context) { tb.Fatalf("from the handler") }
			client := greeting.Serve(tb, g, opts...)
			_, callErr = client.Greet(context.Background(), &greeterv1.GreetRequest{})
		})
		if status.Code(callErr) != codes.Unavailable {
			t.Errorf("%s: the call ends with %v", name, callErr)
		}
		checkFailure(t, got, "from the handler", "/greeter.v1.Greeter/Greet has ended its goroutine", "use t.Error")
	}
}

// callAPanickingHandler is a program.
func callAPanickingHandler([]string) error {
	g := newGreeter()
	g.greet = func(context.Context) { panic("at the disco") }
	record(nil, func(tb testing.TB) {
		client := greeting.Serve(tb, g)
		client.Greet(context.Background(), &greeterv1.GreetRequest{})
	})
	return nil
}

func TestHandlerThatPanicsEndsTheProcess(t *testing.T) {
	t.Parallel()
	err := testproc.Start(t, "panic").WaitExit()
	if err == nil {
		t.Fatal("the process goes on")
	}
	checkFailure(t, err.Error(), "panic: at the disco", "callAPanickingHandler")
}
