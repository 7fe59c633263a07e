package main

import (
	"context"
	"fmt"
	"os"

	daemonv1 "github.com/udsgrpc/udsgrpc/examples/daemon/gen/daemon/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// start serves until ctx ends, a client says stop, or another daemon is started, which then has
// the socket.
func start(ctx context.Context, path, version string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	srv, err := daemonv1.NewDaemonUDSServer(path, daemon{version: version, stop: stop},
		runtime.CreateDir(),
		runtime.Takeover())
	if err != nil {
		return err
	}
	fmt.Printf("process %d (%s) serves on %s\n", os.Getpid(), version, srv.Path())
	if err := srv.Serve(ctx); err != nil {
		return err
	}
	fmt.Printf("process %d (%s) ends\n", os.Getpid(), version)
	return nil
}

type daemon struct {
	daemonv1.UnimplementedDaemonServer
	version string
	stop    context.CancelFunc
}

func (d daemon) Status(context.Context, *daemonv1.StatusRequest) (*daemonv1.StatusResponse, error) {
	return &daemonv1.StatusResponse{Pid: int64(os.Getpid()), Version: d.version}, nil
}

// Stop ends the context of Serve, as a signal does. The drain that follows finishes this call, too.
func (d daemon) Stop(context.Context, *daemonv1.StopRequest) (*daemonv1.StopResponse, error) {
	d.stop()
	return &daemonv1.StopResponse{}, nil
}
