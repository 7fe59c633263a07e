// Command transport serves and calls the greeter over something that is no Unix domain socket: a
// named pipe on Windows, TCP elsewhere.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: transport serve|greet ADDRESS")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, command, addr string) error {
	switch command {
	case "serve":
		l, err := listen(addr)
		if err != nil {
			return err
		}
		fmt.Printf("serves on %v\n", l.Addr())
		return serve(ctx, l)
	case "greet":
		greeting, err := greet(ctx, addr)
		if err != nil {
			return err
		}
		fmt.Println(greeting)
		return nil
	default:
		return fmt.Errorf("command %q: give serve or greet", command)
	}
}

// serve does without runtime.NewServer, which makes its socket by itself; the services are registered
// as ever. There is no peer to know, so who may connect is all up to the listener.
func serve(ctx context.Context, l net.Listener) error {
	srv := grpc.NewServer()
	greeterv1.RegisterGreeterServer(srv, greeter{})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		srv.GracefulStop()
		return <-served
	}
}

// greet uses the generated constructor with another dialer. The path is only a name then.
func greet(ctx context.Context, addr string) (_ string, err error) {
	client, conn, err := greeterv1.DialGreeterUDS("greeter",
		runtime.WithGRPCDialOptions(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return dial(ctx, addr)
		})),
		// No kernel says who is at the other end, and every other policy needs to know.
		runtime.WithServerPolicy(runtime.Anyone()))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := conn.WaitReady(ctx); err != nil {
		return "", err
	}
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	return resp.GetGreeting(), err
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(ctx context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	_, known := runtime.PeerFromContext(ctx)
	return &greeterv1.GreetResponse{
		Greeting:  fmt.Sprintf("Hello, %s! That I know who you are is %t.", req.GetName(), known),
		ServerPid: int64(os.Getpid()),
	}, nil
}
