package restarts_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestDrainFinishesCallsInFlightAndKeepsThePathUntilThen(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	srv := greetertest.Serve(t, path, g, runtime.ShutdownTimeout(time.Minute))
	client, _ := greetertest.Dial(t, path)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
		answered <- err
	}()
	<-g.Entered
	srv.Stop()
	fixture.AwaitMissing(t, path)
	if _, err := runtime.NewServer(path); !errors.Is(err, socket.ErrInUse) {
		t.Errorf("a successor could start during the drain: %v", err)
	}
	close(g.Release)
	if err := <-answered; err != nil {
		t.Errorf("the call in flight was lost: %v", err)
	}
	if err := <-srv.Done; err != nil {
		t.Error(err)
	}
	greetertest.Serve(t, path, greetertest.New())
}

func TestStreamsEndAtTheShutdownTimeout(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	srv := greetertest.Serve(t, path, g, runtime.ShutdownTimeout(100*time.Millisecond))
	client, _ := greetertest.Dial(t, path)
	stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{From: -1})
	if err != nil {
		t.Fatal(err)
	}
	<-g.Entered
	srv.Stop()
	if err := <-srv.Done; err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Errorf("what was sent before is lost: %v", err)
	}
	_, err = stream.Recv()
	greetertest.CheckCode(t, err, codes.Unavailable)
	<-g.Entered // the handler saw its context end
}

func TestServeReturnsThoughAHandlerIgnoresItsContext(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	stuck := &stuckGreeter{entered: make(chan struct{}), release: make(chan struct{}), left: make(chan struct{})}
	srv := greetertest.Serve(t, path, stuck, runtime.ShutdownTimeout(50*time.Millisecond))
	client, _ := greetertest.Dial(t, path)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Gather(t.Context())
		answered <- err
	}()
	<-stuck.entered
	srv.Stop()
	if err := <-srv.Done; err != nil {
		t.Error(err)
	}
	fixture.CheckMissing(t, path)
	close(stuck.release)
	<-stuck.left
	<-answered
}

type stuckGreeter struct {
	greeterv1.UnimplementedGreeterServer
	entered, release, left chan struct{}
}

func (g *stuckGreeter) Gather(greeterv1.Greeter_GatherServer) error {
	close(g.entered)
	<-g.release
	close(g.left)
	return nil
}

// Clients whose connection the kernel has queued, but which the server has not accepted yet,
// did find the server: they must be answered.
func TestDrainAnswersClientsInTheAcceptQueue(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := fixture.FreePath(t)
		srv, err := greeterv1.NewGreeterUDSServer(path, greetertest.New())
		if err != nil {
			t.Fatal(err)
		}
		const clients = 10
		answers := make(chan error, clients)
		queued := make(chan error, clients)
		for range clients {
			client, _ := greetertest.Dial(t, path, runtime.WithGRPCDialOptions(grpc.WithContextDialer(
				func(ctx context.Context, _ string) (net.Conn, error) {
					conn, err := (&socket.Dialer{}).DialContext(ctx, path)
					queued <- err
					return conn, err
				})))
			go func() {
				_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
				answers <- err
			}()
		}
		for range clients {
			if err := <-queued; err != nil {
				t.Fatal(err)
			}
		}
		s := greetertest.Run(t, srv)
		s.Stop()
		for range clients {
			if err := <-answers; err != nil {
				t.Errorf("a client in the queue was lost: %v", err)
			}
		}
		if err := <-s.Done; err != nil {
			t.Error(err)
		}
	}
}
