// Command client makes one call of each kind to the greeter on a Unix domain socket.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: client PATH")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path string) error {
	client, conn, err := greeterv1.DialGreeterUDS(path)
	if err != nil {
		return err
	}
	defer conn.Close()

	for _, call := range []func(context.Context, greeterv1.GreeterClient) error{greet, countdown, gather, chat} {
		if err := call(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

func greet(ctx context.Context, client greeterv1.GreeterClient) error {
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		return err
	}
	fmt.Printf("unary          Ada -> %q from process %d\n", resp.GetGreeting(), resp.GetServerPid())
	return nil
}

func countdown(ctx context.Context, client greeterv1.GreeterClient) error {
	stream, err := client.Countdown(ctx, &greeterv1.CountdownRequest{From: 5})
	if err != nil {
		return err
	}
	var numbers []string
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		numbers = append(numbers, fmt.Sprint(resp.GetNumber()))
	}
	fmt.Printf("server stream  5 -> %s\n", strings.Join(numbers, " "))
	return nil
}

func gather(ctx context.Context, client greeterv1.GreeterClient) error {
	stream, err := client.Gather(ctx)
	if err != nil {
		return err
	}
	names := []string{"Ada", "Grace", "Barbara"}
	for _, name := range names {
		// The error behind an io.EOF here is what CloseAndRecv returns.
		if err := stream.Send(&greeterv1.GatherRequest{Name: name}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	resp, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	fmt.Printf("client stream  %s -> %q\n", strings.Join(names, ", "), resp.GetGreeting())
	return nil
}

func chat(ctx context.Context, client greeterv1.GreeterClient) error {
	stream, err := client.Chat(ctx)
	if err != nil {
		return err
	}
	for _, line := range []string{"good morning", "how are you?"} {
		if err := stream.Send(&greeterv1.ChatRequest{Line: line}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		resp, err := stream.Recv()
		if err != nil {
			return err
		}
		fmt.Printf("both ways      %q -> %q\n", line, resp.GetLine())
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the chat did not end as it should: %w", err)
	}
	return nil
}
