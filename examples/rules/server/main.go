// Command server serves the admin service, whose .proto file says who may call which rpc.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

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

	srv, err := adminv1.NewAdminUDSServer(path, admin{shutdown: stop}, runtime.SocketMode(0o666))
	if err != nil {
		return err
	}
	fmt.Printf("uid %d serves admin.v1.Admin on %s\n", os.Getuid(), srv.Path())
	return srv.Serve(ctx)
}

// admin does not ask who calls: whoever may not does not come this far.
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
