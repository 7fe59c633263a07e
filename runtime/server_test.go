package runtime_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestServerAnswersEveryKindOfCall(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, newGreeter())
	client, _ := greetertest.Dial(t, path)
	ctx := t.Context()

	greetertest.Greet(t, client)

	down, err := client.Countdown(ctx, &greeterv1.CountdownRequest{From: 3})
	if err != nil {
		t.Fatal(err)
	}
	for want := int32(3); want >= 0; want-- {
		if resp, err := down.Recv(); err != nil || resp.GetNumber() != want {
			t.Fatalf("countdown sent %v, %v; want %d", resp, err, want)
		}
	}
	if _, err := down.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("countdown ended with %v", err)
	}

	gather, err := client.Gather(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := gather.Send(&greeterv1.GatherRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if resp, err := gather.CloseAndRecv(); err != nil || resp.GetGreeting() != "a b c" {
		t.Errorf("gather answered %v, %v", resp, err)
	}

	chat, err := client.Chat(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"a", "b"} {
		if err := chat.Send(&greeterv1.ChatRequest{Line: line}); err != nil {
			t.Fatal(err)
		}
		if resp, err := chat.Recv(); err != nil || resp.GetLine() != line {
			t.Fatalf("chat answered %v, %v", resp, err)
		}
	}
	if err := chat.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := chat.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("chat ended with %v", err)
	}
}

func TestClientsCanConnectOnceNewServerReturns(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter())
	if err != nil {
		t.Fatal(err)
	}
	client, _ := greetertest.Dial(t, path)
	answered := make(chan error, 1)
	go func() {
		// It fails at once if it cannot connect: it does not wait for ready.
		_, err := client.Greet(context.Background(), &greeterv1.GreetRequest{})
		answered <- err
	}()
	greetertest.Run(t, srv)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestServerSocketIsForItsOwnerOnlyUnlessWidened(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		opts []runtime.ServerOption
		want fs.FileMode
	}{
		{nil, 0o600},
		{[]runtime.ServerOption{runtime.SocketMode(0o660)}, 0o660},
		{[]runtime.ServerOption{runtime.SocketMode(0o666), runtime.SocketOwner(-1, -1)}, 0o666},
	} {
		path := fixture.FreePath(t)
		greetertest.Serve(t, path, newGreeter(), c.opts...)
		if info, err := os.Lstat(path); err != nil || info.Mode() != c.want|fs.ModeSocket {
			t.Errorf("the socket has mode %v, %v; want %v", info.Mode(), err, c.want)
		}
	}
}

func TestNewServerRefusesWhatIsNotFree(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, newGreeter())
	if _, err := greeterv1.NewGreeterUDSServer(path, newGreeter()); !errors.Is(err, socket.ErrInUse) {
		t.Errorf("error for a path in use is %v", err)
	}
	path = fixture.FreePath(t)
	if err := os.WriteFile(path, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := greeterv1.NewGreeterUDSServer(path, newGreeter()); !errors.Is(err, socket.ErrNotSocket) {
		t.Errorf("error for a regular file is %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "keep" {
		t.Errorf("the file holds %q, %v now", content, err)
	}
}

// The workers of grpc are goroutines, which the end of all tests would find.
func TestServerThatCouldNotBeMadeLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, newGreeter())
	workers := runtime.GRPCServerOptions(grpc.NumStreamWorkers(2))
	if _, err := runtime.NewServer(path, workers); !errors.Is(err, socket.ErrInUse) {
		t.Errorf("error for a path in use is %v", err)
	}
}

func TestOptionsThatMakeNoSenseAreErrorsAndClaimNothing(t *testing.T) {
	t.Parallel()
	var noContext context.Context
	for name, opts := range map[string][]runtime.ServerOption{
		"mode zero":        {runtime.SocketMode(0)},
		"mode with setuid": {runtime.SocketMode(fs.ModeSetuid | 0o600)},
		"owner":            {runtime.SocketOwner(-2, 0)},
		"shutdown timeout": {runtime.ShutdownTimeout(-1)},
		"message size":     {runtime.MaxRecvMsgSize(0)},
		"standby":          {runtime.Standby(noContext)},
	} {
		path := fixture.FreePath(t)
		if _, err := runtime.NewServer(path, opts...); !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error is %v", name, err)
		}
		fixture.CheckMissing(t, path)
	}
	interceptor := grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(ctx, req)
	})
	_, err := runtime.NewServer(fixture.FreePath(t), runtime.GRPCServerOptions(interceptor, interceptor))
	if err == nil || !strings.Contains(err.Error(), "already set") {
		t.Errorf("contradicting grpc options: error is %v", err)
	}
}

func TestSeveralServicesShareASocket(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter())
	if err != nil {
		t.Fatal(err)
	}
	healthv1.RegisterHealthServer(srv, healthv1.UnimplementedHealthServer{})
	greetertest.Run(t, srv)
	client, conn := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	_, err = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if greetertest.CheckCode(t, err, codes.Unimplemented); !strings.Contains(err.Error(), "method Check not implemented") {
		t.Errorf("the other service did not answer: %v", err)
	}
}

// oldRegister takes what stubs of older generators take.
func oldRegister(s *grpc.Server, greeter greeterv1.GreeterServer) {
	greeterv1.RegisterGreeterServer(s, greeter)
}

// registrar is one that only somebody else's stubs know.
type registrar struct{ grpc.ServiceRegistrar }

// over returns a context that has ended, with which Serve returns even if it has no error to return.
func over(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestOldStubsOfANilServiceMakeServeFail(t *testing.T) {
	t.Parallel()
	srv, err := runtime.NewServer(fixture.FreePath(t))
	if err != nil {
		t.Fatal(err)
	}
	runtime.RegisterOn(srv, oldRegister, nil)
	if err := srv.Serve(over(t)); err == nil || !strings.Contains(err.Error(), "the implementation is nil") {
		t.Errorf("Serve returned %v", err)
	}
}

// grpc itself ends the process for each of these.
func TestServiceThatCannotBeServedMakesServeFail(t *testing.T) {
	t.Parallel()
	desc := &greeterv1.Greeter_ServiceDesc
	for name, c := range map[string]struct {
		register func(*runtime.Server)
		want     string
	}{
		"twice": {func(s *runtime.Server) { greeterv1.RegisterGreeterServer(s, newGreeter()) }, "registered already"},
		"nil": {func(s *runtime.Server) {
			s.RegisterService(&grpc.ServiceDesc{ServiceName: "n", HandlerType: desc.HandlerType}, nil)
		}, "is nil"},
		"wrong type": {func(s *runtime.Server) {
			s.RegisterService(&grpc.ServiceDesc{ServiceName: "w", HandlerType: desc.HandlerType}, 1)
		}, "int does not implement"},
		"twice with old stubs": {func(s *runtime.Server) { runtime.RegisterOn(s, oldRegister, greeterv1.GreeterServer(newGreeter())) }, "registered already"},
		"stubs of another kind": {func(s *runtime.Server) {
			runtime.RegisterOn(s, func(registrar, greeterv1.GreeterServer) {}, nil)
		}, "it takes neither a grpc.ServiceRegistrar nor a *grpc.Server"},
	} {
		path := fixture.FreePath(t)
		srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter())
		if err != nil {
			t.Fatal(err)
		}
		c.register(srv)
		if err := srv.Serve(over(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Serve returned %v", name, err)
		}
		fixture.CheckMissing(t, path)
	}
}

func TestServicesCanBeListedWhileOneIsRegistered(t *testing.T) {
	t.Parallel()
	srv, err := runtime.NewServer(fixture.FreePath(t))
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	registered := make(chan struct{})
	go func() { // the race detector watches
		defer close(registered)
		greeterv1.RegisterGreeterServer(srv, newGreeter())
	}()
	srv.GetServiceInfo()
	<-registered
	if got := srv.GetServiceInfo(); len(got) != 1 {
		t.Errorf("services are %v", got)
	}
}

func TestServeCanBeCalledOnce(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, newGreeter())
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	if err := srv.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "serving already") {
		t.Errorf("second Serve returned %v", err)
	}
	greetertest.Greet(t, client)
	srv.Stop()
	if err := <-srv.Done; err != nil {
		t.Error(err)
	}
	if err := srv.Serve(t.Context()); !errors.Is(err, grpc.ErrServerStopped) {
		t.Errorf("Serve after the end returned %v", err)
	}
}

func TestCloseGivesThePathFreeAtOnceAndTwice(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	for _, serving := range []bool{false, true} {
		srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter())
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		done <- nil
		if serving {
			done = greetertest.Run(t, srv).Done
			client, _ := greetertest.Dial(t, path)
			greetertest.Greet(t, client)
		}
		if err := errors.Join(srv.Close(), srv.Close(), <-done); err != nil {
			t.Errorf("serving %v: %v", serving, err)
		}
		fixture.CheckMissing(t, path)
	}
}

func TestPathIsAbsoluteWhateverFormItWasGivenIn(t *testing.T) {
	dir := fixture.ShortDir(t)
	t.Chdir(dir)
	srv := greetertest.Serve(t, "unix:s.sock", newGreeter())
	client, _ := greetertest.Dial(t, "s.sock")
	t.Chdir("/")
	if got, want := srv.Path(), dir+"/s.sock"; got != want {
		t.Errorf("Path is %q, want %q", got, want)
	}
	greetertest.Greet(t, client)
}

func TestCloseRightAfterServeBeganIsNoError(t *testing.T) {
	t.Parallel()
	for range 100 {
		srv, err := greeterv1.NewGreeterUDSServer(fixture.FreePath(t), newGreeter())
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		began := make(chan struct{})
		go func() {
			close(began)
			served <- srv.Serve(t.Context())
		}()
		<-began
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		// Close may also have been first.
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) || errors.Is(err, grpc.ErrServerStopped) && strings.Count(err.Error(), "serve on") != 1 {
			t.Error(err)
		}
	}
}
