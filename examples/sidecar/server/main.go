// Command server is a sidecar: it serves the greeter to the other containers of its pod.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	path := flag.String("socket", "", "path of the socket; its directory is made")
	group := flag.Int("group", -1, "id of the group whose processes may call, the pod's fsGroup; -1 for this user only")
	flag.Parse()
	if err := run(*path, *group); err != nil {
		log.Fatal(err)
	}
}

func run(path string, group int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	opts := []runtime.ServerOption{runtime.Health()}
	if group < 0 {
		opts = append(opts, runtime.CreateDir()) // mode 0700: for this user
	} else {
		if err := shareDir(filepath.Dir(path), group); err != nil {
			return err
		}
		opts = append(opts,
			runtime.SocketMode(0o660), runtime.SocketOwner(-1, group), // who may connect
			runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.AllowGID(group)))) // who may call
	}
	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{}, opts...)
	if err != nil {
		return err
	}
	fmt.Printf("serves on %s\n", srv.Path())
	return srv.Serve(ctx)
}

// shareDir makes a directory that the group may enter. The volume itself will not do: Kubernetes
// makes it writable to every container, so each could replace the socket by one of its own.
func shareDir(dir string, group int) error {
	// It is there after a restart of the container. That it is not another user's, and not writable to
	// others, is checked when the server is made.
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chown(dir, -1, group)
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(ctx context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	peer, _ := runtime.PeerFromContext(ctx)
	return &greeterv1.GreetResponse{
		Greeting:  fmt.Sprintf("Hello, %s of uid %d!", req.GetName(), peer.UID),
		ServerPid: int64(os.Getpid()),
	}, nil
}
