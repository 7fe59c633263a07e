package greetertest

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// Served is a server that runs for the length of a test.
type Served struct {
	*runtime.Server
	Stop context.CancelFunc // begins the drain
	Done chan error         // gets what Serve returned
}

// Serve runs a greeter on path.
func Serve(t testing.TB, path string, g greeterv1.GreeterServer, opts ...runtime.ServerOption) *Served {
	t.Helper()
	srv, err := greeterv1.NewGreeterUDSServer(path, g, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return Run(t, srv)
}

// serveGuard is how long a server that is told to stop may drain before the test fails, longer than any
// ShutdownTimeout of the tests.
const serveGuard = 3 * time.Minute

// Run runs a server that is there already. It is closed at the end of the test.
func Run(t testing.TB, srv *runtime.Server) *Served {
	ctx, stop := context.WithCancel(context.Background())
	s := &Served{Server: srv, Stop: stop, Done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Done <- srv.Serve(ctx)
	}()
	context.AfterFunc(ctx, func() { // ends with Serve
		select {
		case <-ended:
		case <-time.After(serveGuard):
			t.Errorf("the server on %s was told to stop %v ago and still drains: it is closed now", srv.Path(), serveGuard)
			srv.Close()
		}
	})
	t.Cleanup(func() {
		stop()
		srv.Close()
		<-ended
	})
	return s
}

// Dial returns a client, which is closed at the end of the test.
func Dial(t testing.TB, path string, opts ...runtime.DialOption) (greeterv1.GreeterClient, *runtime.ClientConn) {
	t.Helper()
	client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return client, conn
}

// Greet makes a call that must succeed, and returns the server's process id.
func Greet(t testing.TB, client greeterv1.GreeterClient) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context()) // a deadline would be something else to the transports
	defer cancel()
	hung := time.AfterFunc(fixture.Guard, cancel)
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if !hung.Stop() {
		t.Fatalf("the greeter has not answered for %v: %v", fixture.Guard, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, want := resp.GetGreeting(), "Hello, Ada"; got != want {
		t.Fatalf("greeting is %q, want %q", got, want)
	}
	return int(resp.GetServerPid())
}

// CheckCode fails the test if the status of err is another one.
func CheckCode(t testing.TB, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("status is %v, want %v: %v", got, want, err)
	}
}

// TransportOf returns which transport carries a call: "http2" or "direct".
func TransportOf(p *peer.Peer) string {
	if info, ok := p.AuthInfo.(runtime.AuthInfo); ok && info.Direct {
		return "direct"
	}
	return "http2"
}
