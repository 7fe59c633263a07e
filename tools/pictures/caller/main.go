// Command caller makes calls on the stage, until it is killed: often of the Greeter if its name is shopd, and else now
// and then over HTTP/2, some of which fail.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	adminv1 "github.com/udsgrpc/udsgrpc/examples/rules/gen/admin/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: caller PATH")
	}
	var err error
	if filepath.Base(os.Args[0]) == "shopd" {
		err = greet(os.Args[1])
	} else {
		err = report(os.Args[1])
	}
	log.Fatal(err)
}

func greet(path string) error {
	conn, err := runtime.Dial(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	client := greeterv1.NewGreeterClient(conn)
	fmt.Println("calls")
	for range time.Tick(5 * time.Millisecond) {
		if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{Name: "Ada"}); err != nil {
			return err
		}
	}
	return nil
}

func report(path string) error {
	conn, err := runtime.Dial(path, runtime.WithHTTP2Only())
	if err != nil {
		return err
	}
	defer conn.Close()
	client, greeter := adminv1.NewAdminClient(conn), greeterv1.NewGreeterClient(conn)
	fmt.Println("calls")
	for range time.Tick(20 * time.Millisecond) {
		if _, err := client.Status(context.Background(), &adminv1.StatusRequest{}); err != nil {
			return err
		}
		// The server does not have this method.
		if stream, err := greeter.Countdown(context.Background(), &greeterv1.CountdownRequest{From: 3}); err == nil {
			_, _ = stream.Recv()
		}
	}
	return nil
}
