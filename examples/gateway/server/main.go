// Command server serves the greeter to its own user, and to the user that a proxy runs as.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/grpc/metadata"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	proxy := flag.String("proxy", "", "user that the proxy runs as, if it is another than this one")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: server [-proxy USER] PATH")
	}
	if err := run(flag.Arg(0), *proxy); err != nil {
		log.Fatal(err)
	}
}

func run(path, proxy string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var opts []runtime.ServerOption
	if proxy != "" {
		let, err := letIn(proxy)
		if err != nil {
			return err
		}
		opts = append(opts, let...)
	}
	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{}, opts...)
	if err != nil {
		return err
	}
	fmt.Printf("process %d serves on %s\n", os.Getpid(), srv.Path())
	return srv.Serve(ctx)
}

// letIn opens two gates for the proxy: its group may connect, and its user may call.
func letIn(proxy string) ([]runtime.ServerOption, error) {
	u, err := user.Lookup(proxy)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("uid of %s: %w", proxy, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("gid of %s: %w", proxy, err)
	}
	return []runtime.ServerOption{
		runtime.SocketMode(0o660),
		runtime.SocketOwner(-1, gid),
		runtime.Authorize(runtime.Any(runtime.SameUser(), runtime.AllowUID(uid))),
	}, nil
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

// Greet knows two names: who the proxy says that the caller is, and who calls on this machine. The
// first is worth as much as the second: only the proxy can connect, and it overwrites the header.
func (greeter) Greet(ctx context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	peer, _ := runtime.PeerFromContext(ctx)
	remote := strings.Join(metadata.ValueFromIncomingContext(ctx, "x-client-subject"), " ")
	return &greeterv1.GreetResponse{
		Greeting:  fmt.Sprintf("Hello, %s! You are %q, through uid %d.", req.GetName(), remote, peer.UID),
		ServerPid: int64(os.Getpid()),
	}, nil
}

// Gather takes a stream, however long; the proxy must be told not to mind its size.
func (greeter) Gather(stream greeterv1.Greeter_GatherServer) error {
	size := 0
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&greeterv1.GatherResponse{Greeting: fmt.Sprintf("%d bytes of names", size)})
		}
		if err != nil {
			return err
		}
		size += len(req.GetName())
	}
}
