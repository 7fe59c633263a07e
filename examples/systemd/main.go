// Command systemd serves the greeter on a socket that systemd has made, or, started by hand, on one
// of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func main() {
	path := flag.String("socket", "", "path of the socket, if systemd does not pass one")
	group := flag.Int("allow-group", -1, "id of a group that may call, besides the server's own user")
	flag.Parse()
	if err := run(*path, *group); err != nil {
		log.Fatal(err)
	}
}

func run(path string, group int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	// The unit alone names the path; the program knows the socket by the unit's name.
	addr, passed, err := socket.ActivatedAddress("greeter.socket")
	if err != nil {
		return err
	}
	if passed {
		path = addr.String()
	}
	// Who may connect is in the socket unit, and who may call is not.
	allowed := runtime.SameUser()
	if group >= 0 {
		allowed = runtime.Any(allowed, runtime.AllowGID(group))
	}
	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{}, runtime.Authorize(allowed))
	if err != nil {
		return err
	}
	fmt.Printf("serves on %s, passed by systemd: %t\n", srv.Path(), passed)
	return srv.Serve(ctx) // READY=1 to begin with, STOPPING=1 in the end
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName() + "!", ServerPid: int64(os.Getpid())}, nil
}
