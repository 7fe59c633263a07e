package runtime_test

import (
	"context"
	"expvar"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// A server and a client made by generated code. In real life they are two processes.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "greeter.sock")

	srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter())
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()

	client, conn, err := greeterv1.DialGreeterUDS(path)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetGreeting())

	stop()
	fmt.Println("served:", <-served)
	// Output:
	// Hello, Ada
	// served: <nil>
}

// A daemon serves until it is told to stop, and then finishes what it has begun.
func ExampleServer_Serve() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(),
		runtime.CreateDir(), runtime.Health(), runtime.ShutdownTimeout(5*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.Serve(ctx); err != nil {
		log.Fatal(err)
	}
}

// NewServer makes a server without a service; several may be registered.
func ExampleNewServer() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	srv, err := runtime.NewServer(filepath.Join(dir, "app.sock"))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	greeterv1.RegisterGreeterServer(srv, newGreeter())
	healthv1.RegisterHealthServer(srv, healthv1.UnimplementedHealthServer{})
	fmt.Println(len(srv.GetServiceInfo()), "services on", filepath.Base(srv.Path()))
	// Output: 2 services on app.sock
}

// Stubs of older generators take a *grpc.Server, to which a Server is not assignable.
func ExampleRegisterOn() {
	registerHealthServer := func(s *grpc.Server, health healthv1.HealthServer) { // stands for such stubs
		healthv1.RegisterHealthServer(s, health)
	}
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter())
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	// The conversion is needed unless the type of the variable is HealthServer itself.
	runtime.RegisterOn(srv, registerHealthServer, healthv1.HealthServer(healthv1.UnimplementedHealthServer{}))
	fmt.Println(len(srv.GetServiceInfo()), "services")
}

// Stubs of older generators take a *grpc.ClientConn, to which a ClientConn is not assignable.
func ExampleClientOn() {
	newHealthClient := func(cc *grpc.ClientConn) healthv1.HealthClient { // stands for such stubs
		return healthv1.NewHealthClient(cc)
	}
	_, conn, err := greeterv1.DialGreeterUDS("/run/greeter/greeter.sock")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close() // the client's end too
	health, err := runtime.ClientOn(conn, newHealthClient)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := health.Check(context.Background(), &healthv1.HealthCheckRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetStatus())
}

// A group may connect to a socket of mode 0660 that belongs to it.
func ExampleSocketMode() {
	const gid = 1000
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(),
		runtime.SocketMode(0o660), runtime.SocketOwner(-1, gid))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// Dial is for clients that are not generated, here grpc's own of the health service.
func ExampleDial() {
	conn, err := runtime.Dial("/run/greeter/greeter.sock")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetStatus())
}

// A program that cannot do without its server waits for it at the start.
func ExampleClientConn_WaitReady() {
	_, conn, err := greeterv1.DialGreeterUDS("/nowhere/greeter.sock")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	fmt.Println(conn.WaitReady(ctx))
	// Output: wait for the server: context deadline exceeded: dial /nowhere/greeter.sock: connect: no such file or directory: the directory /nowhere/ does not exist: the server has not started yet, or listens elsewhere; it makes the directory only if told so by runtime.CreateDir()
}

// Members of a group may call everything, and root alone may call one method.
func ExampleAuthorize() {
	const gid = 1000
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(),
		runtime.SocketMode(0o660), runtime.SocketOwner(-1, gid),
		runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.AllowGID(gid))),
		runtime.AuthorizeMethod(greeterv1.Greeter_Countdown_FullMethodName, runtime.Root()))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// A client that trusts only the server of one system user.
func ExampleWithServerPolicy() {
	const uid = 990
	_, conn, err := greeterv1.DialGreeterUDS("/run/greeter/greeter.sock", runtime.WithServerPolicy(runtime.AllowUID(uid)))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
}

// An interceptor, or a handler, finds out the caller.
func ExamplePeerFromContext() {
	whoCalls := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if p, ok := runtime.PeerFromContext(ctx); ok && p.HasUID {
			log.Printf("%s is called by uid %d", info.FullMethod, p.UID)
		}
		return next(ctx, req)
	}
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(), runtime.UnaryInterceptor(whoCalls))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// A new version takes the socket over from the old one, which then ends by itself. No call
// fails meanwhile.
func ExampleTakeover() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(), runtime.Takeover())
	if err != nil {
		log.Fatal(err) // the old server serves on
	}
	if err := srv.Serve(ctx); err != nil {
		log.Fatal(err)
	}
}

// A second process waits until the first one ends, or dies.
func ExampleStandby() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(), runtime.Standby(ctx))
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.Serve(ctx); err != nil {
		log.Fatal(err)
	}
}

// An operator reads in the log that somebody removed the socket file, and that it is there again.
func ExampleEventLog() {
	srv, err := greeterv1.NewGreeterUDSServer("/run/greeter/greeter.sock", newGreeter(), runtime.EventLog(slog.Default()))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// /debug/vars shows what a server has counted.
func ExampleServer_Stats() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	srv, err := greeterv1.NewGreeterUDSServer(filepath.Join(dir, "greeter.sock"), newGreeter())
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	expvar.Publish("greeter", expvar.Func(func() any { return srv.Stats() }))

	fmt.Println(expvar.Get("greeter"))
	// Output: {"Connections":{"Direct":0,"HTTP2":0},"Calls":{"Direct":0,"HTTP2":0},"Refused":0,"NotAccepted":0,"TurnedAway":0,"Rebound":0,"SendWaits":0,"Rings":0,"Handovers":{"Received":0,"Given":0,"Failed":0}}
}

// A client tells how often it has had to look for its server.
func ExampleClientConn_Stats() {
	_, conn, err := greeterv1.DialGreeterUDS("/run/greeter/greeter.sock")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	stats := conn.Stats()
	fmt.Println(stats.Reconnects.Direct+stats.Reconnects.HTTP2, stats.Failed)
	// Output: 0 0
}

// An operator reads in the log that the server was lost, why it cannot be reached, and that it is back.
func ExampleWithEventLog() {
	_, conn, err := greeterv1.DialGreeterUDS("/run/greeter/greeter.sock", runtime.WithEventLog(slog.Default()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
}

// A plugin introduces itself to every server that comes, also after a restart.
func ExampleWithOnConnect() {
	connected := make(chan struct{}, 1)
	client, conn, err := greeterv1.DialGreeterUDS("/run/greeter/greeter.sock", runtime.WithOnConnect(func() {
		connected <- struct{}{}
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	for range connected {
		if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{Name: "plugin"}); err != nil {
			log.Print(err)
		}
	}
}
