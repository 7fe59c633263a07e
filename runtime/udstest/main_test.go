package udstest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestMain(m *testing.M) {
	testproc.Main(m, map[string]testproc.Program{"panic": callAPanickingHandler})
}

// greeter is the service of these tests.
type greeter struct {
	greeterv1.UnimplementedGreeterServer
	greet func(context.Context) // what Greet does first
	ended chan struct{}         // gets a value when a countdown has ended
}

func newGreeter() *greeter {
	return &greeter{greet: func(context.Context) {}, ended: make(chan struct{}, 1)}
}

func (g greeter) Greet(ctx context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	g.greet(ctx)
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName()}, nil
}

// Countdown sends one number and ends with its context.
func (g greeter) Countdown(_ *greeterv1.CountdownRequest, stream grpc.ServerStreamingServer[greeterv1.CountdownResponse]) error {
	if err := stream.Send(&greeterv1.CountdownResponse{}); err != nil {
		return err
	}
	<-stream.Context().Done()
	g.ended <- struct{}{}
	return stream.Context().Err()
}

func greet(tb testing.TB, client greeterv1.GreeterClient) {
	tb.Helper()
	resp, err := client.Greet(tb.Context(), &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		tb.Fatal(err)
	}
	if got, want := resp.GetGreeting(), "Hello, Ada"; got != want {
		tb.Errorf("greeting is %q, want %q", got, want)
	}
}

// endless begins a stream that ends when client or server end it, and returns when the handler runs.
func endless(tb testing.TB, client greeterv1.GreeterClient) grpc.ServerStreamingClient[greeterv1.CountdownResponse] {
	tb.Helper()
	stream, err := client.Countdown(context.WithoutCancel(tb.Context()), &greeterv1.CountdownRequest{})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		tb.Fatal(err)
	}
	return stream
}

// recorder is a test that is allowed to fail.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

// record runs a test to its end, with its cleanups, and returns how it has failed.
func record(tb testing.TB, test func(testing.TB)) string {
	r := &recorder{TB: tb}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			for i := len(r.cleanups) - 1; i >= 0; i-- {
				r.cleanups[i]()
			}
		}()
		test(r)
	}()
	<-ended
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.failures, "\n")
}

func (r *recorder) Helper() {}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
