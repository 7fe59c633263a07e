package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// ticker has a stream without an end of its own.
type ticker struct {
	greeterv1.UnimplementedGreeterServer
	ticks chan int32
}

func (t ticker) Countdown(_ *greeterv1.CountdownRequest, stream greeterv1.Greeter_CountdownServer) error {
	ctx := stream.Context()
	for {
		select {
		case n := <-t.ticks:
			if err := stream.Send(&greeterv1.CountdownResponse{Number: n}); err != nil {
				return err
			}
		case <-runtime.DrainingFromContext(ctx):
			return nil // the client starts again, with the next server
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A stream without an end of its own ends when the server drains, so that the drain need not wait for it.
func ExampleDrainingFromContext() {
	path, remove := examplePath()
	defer remove()
	t := ticker{ticks: make(chan int32, 1)}
	srv, err := greeterv1.NewGreeterUDSServer(path, t)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	client, conn, err := greeterv1.DialGreeterUDS(path)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	stream, err := client.Countdown(context.Background(), &greeterv1.CountdownRequest{})
	if err != nil {
		log.Fatal(err)
	}
	t.ticks <- 1
	tick, err := stream.Recv()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("tick", tick.GetNumber())
	stop()
	_, err = stream.Recv()
	fmt.Println("the stream has ended:", errors.Is(err, io.EOF))
	fmt.Println("Serve returned", <-served)
	if srv.HandedOver() {
		fmt.Println("another process serves now")
	}
	// Output:
	// tick 1
	// the stream has ended: true
	// Serve returned <nil>
}
