package runtime_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// The old version of a program and the new one, here in one process, and a client of both.
func ExampleTakeover_handover() {
	path, remove := examplePath()
	defer remove()
	ctx, stop := context.WithCancel(context.Background())
	serve := func() error {
		srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter(), runtime.Takeover())
		if err != nil {
			return err
		}
		return srv.Serve(ctx)
	}

	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- serve() }()
	greetOnceReady(path)
	go func() { second <- serve() }()
	fmt.Println("the first has served:", <-first)
	greetOnceReady(path)
	stop()
	fmt.Println("the second has served:", <-second)
	// Output:
	// Hello, Ada
	// the first has served: <nil>
	// Hello, Ada
	// the second has served: <nil>
}

// A standby serves as soon as the path is free.
func ExampleStandby_successor() {
	path, remove := examplePath()
	defer remove()
	first, err := greeterv1.NewGreeterUDSServer(path, newGreeter())
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	serve := func() error {
		srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter(), runtime.Standby(ctx))
		if err != nil {
			return err
		}
		return srv.Serve(ctx)
	}

	served := make(chan error, 1)
	go func() { served <- serve() }()
	if err := first.Close(); err != nil {
		log.Fatal(err)
	}
	greetOnceReady(path)
	stop()
	fmt.Println("the second has served:", <-served)
	// Output:
	// Hello, Ada
	// the second has served: <nil>
}

// A client hears of every server that comes, without making a call.
func ExampleWithOnConnect_restart() {
	path, remove := examplePath()
	defer remove()
	arrivals := make(chan string, 1)
	client, conn, err := greeterv1.DialGreeterUDS(path,
		runtime.WithOnConnect(func() { arrivals <- "connected" }), // register now
		runtime.WithOnDisconnect(func() { arrivals <- "disconnected" }))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	for range 2 {
		srv, err := greeterv1.NewGreeterUDSServer(path, newGreeter())
		if err != nil {
			log.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ctx) }()
		fmt.Println(<-arrivals)
		if _, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"}); err != nil {
			log.Fatal(err)
		}
		stop()
		fmt.Println(<-arrivals, <-served)
	}
	// Output:
	// connected
	// disconnected <nil>
	// connected
	// disconnected <nil>
}

func greetOnceReady(path string) {
	client, conn, err := greeterv1.DialGreeterUDS(path)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := conn.WaitReady(ctx); err != nil {
		log.Fatal(err)
	}
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetGreeting())
}

func examplePath() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	return filepath.Join(dir, "greeter.sock"), func() { os.RemoveAll(dir) }
}
