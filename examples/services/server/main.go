// Command server offers two services of its own, and two of udsgrpc's, on one socket.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	adminv1 "github.com/udsgrpc/udsgrpc/examples/rules/gen/admin/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: server PATH")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, shutdown := context.WithCancel(ctx)
	defer shutdown()

	// NewGreeterUDSServer would do as well, and RegisterAdminServer after it. NewServer says that
	// the socket belongs to neither of the two.
	srv, err := runtime.NewServer(path,
		runtime.SocketMode(0o666), // admin.proto lets everyone ask for the status
		runtime.Health(),
		runtime.Reflection(),
	)
	if err != nil {
		return err
	}
	greeterv1.RegisterGreeterServer(srv, greeter{})
	adminv1.RegisterAdminServer(srv, admin{shutdown: shutdown})

	fmt.Printf("process %d serves on %s\n", os.Getpid(), srv.Path())
	return srv.Serve(ctx)
}

// greeter has no rules in its .proto file, so it is for the server's own user.
type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName() + "!", ServerPid: int64(os.Getpid())}, nil
}

// admin does not ask who calls: what its .proto file says is enforced, here as with
// NewAdminUDSServer.
type admin struct {
	adminv1.UnimplementedAdminServer
	shutdown func()
}

func (admin) Status(context.Context, *adminv1.StatusRequest) (*adminv1.StatusResponse, error) {
	return &adminv1.StatusResponse{}, nil
}

func (admin) Reload(context.Context, *adminv1.ReloadRequest) (*adminv1.ReloadResponse, error) {
	return &adminv1.ReloadResponse{}, nil
}

// Shutdown makes the server drain, which does not cut off this very call.
func (a admin) Shutdown(context.Context, *adminv1.ShutdownRequest) (*adminv1.ShutdownResponse, error) {
	a.shutdown()
	return &adminv1.ShutdownResponse{}, nil
}
