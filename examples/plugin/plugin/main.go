// Command plugin serves the greeter to the process that starts it, or, given a path, to
// everybody of the same user.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	path := runtime.InheritedPath()
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := run(path); err != nil {
		log.Fatal(err)
	}
}

func run(path string) error {
	// As a plugin it needs no signals: Serve ends when the host wants it to, or is gone. By itself it
	// drains at a Ctrl-C instead of cutting calls off.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{})
	if err != nil {
		return err
	}
	if err := srv.Serve(ctx); err != nil {
		return err
	}
	fmt.Println("plugin: drained, good bye")
	return nil
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName() + "!", ServerPid: int64(os.Getpid())}, nil
}
