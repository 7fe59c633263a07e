// Command client makes calls within a span of its own. Its spans and metrics go to standard
// output, what comes of the calls goes to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/examples/more/observability/internal/telemetry"
	"github.com/udsgrpc/udsgrpc/runtime"
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

func run(ctx context.Context, path string) (err error) {
	tel, err := telemetry.New("visitor", os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tel.Shutdown(ctx)) }()

	client, conn, err := greeterv1.DialGreeterUDS(path,
		runtime.WithStatsHandler(otelgrpc.NewClientHandler(tel.Options()...)),
		runtime.WithEventLog(slog.New(slog.NewTextHandler(os.Stderr, nil)))) // how the server comes and goes
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.WaitReady(ctx); err != nil {
		return err
	}
	return tel.Span(ctx, "visit", func(ctx context.Context) error {
		return errors.Join(greet(ctx, client, "Ada"), greet(ctx, client, ""), countdown(ctx, client))
	})
}

func greet(ctx context.Context, client greeterv1.GreeterClient, name string) error {
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: name})
	switch status.Code(err) {
	case codes.OK:
		fmt.Fprintf(os.Stderr, "%q is greeted with %q\n", name, resp.GetGreeting())
	case codes.Internal: // the bug that this example is about
		fmt.Fprintf(os.Stderr, "%q is greeted with %q\n", name, status.Convert(err).Message())
	default:
		return err
	}
	return nil
}

func countdown(ctx context.Context, client greeterv1.GreeterClient) error {
	stream, err := client.Countdown(ctx, &greeterv1.CountdownRequest{From: 3})
	if err != nil {
		return err
	}
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
