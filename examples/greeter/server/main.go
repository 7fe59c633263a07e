// Command server serves the greeter on a Unix domain socket until it is told to stop.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
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

	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{})
	if err != nil {
		return err
	}
	fmt.Printf("process %d serves greeter.v1.Greeter on %s\n", os.Getpid(), srv.Path())
	if err := srv.Serve(ctx); err != nil {
		return err
	}
	fmt.Println("drained, the socket file is gone, good bye")
	return nil
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName() + "!", ServerPid: int64(os.Getpid())}, nil
}

func (greeter) Countdown(req *greeterv1.CountdownRequest, stream greeterv1.Greeter_CountdownServer) error {
	for n := req.GetFrom(); n >= 0; n-- {
		if err := stream.Send(&greeterv1.CountdownResponse{Number: n}); err != nil {
			return err
		}
	}
	return nil
}

func (greeter) Gather(stream greeterv1.Greeter_GatherServer) error {
	var names []string
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&greeterv1.GatherResponse{Greeting: "Hello, " + strings.Join(names, " and ") + "!"})
		}
		if err != nil {
			return err
		}
		names = append(names, req.GetName())
	}
}

func (greeter) Chat(stream greeterv1.Greeter_ChatServer) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&greeterv1.ChatResponse{Line: "you said: " + req.GetLine()}); err != nil {
			return err
		}
	}
}
