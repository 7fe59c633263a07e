package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func TestMain(m *testing.M) { testproc.Main(m, programs) }

// greeter is the service of these tests. A greeting to "wait" takes until the call is
// cancelled or release is closed.
type greeter struct {
	greeterv1.UnimplementedGreeterServer
	entered chan struct{} // gets a value when a call waits, and when its stream has ended
	release chan struct{} // lets waiting calls go when closed
}

func newGreeter() *greeter {
	return &greeter{entered: make(chan struct{}, 100), release: make(chan struct{})}
}

func (g *greeter) Greet(ctx context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	if req.GetName() == "wait" {
		g.entered <- struct{}{}
		select {
		case <-g.release:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName(), ServerPid: int64(os.Getpid())}, nil
}

// Countdown from -1 never ends by itself.
func (g *greeter) Countdown(req *greeterv1.CountdownRequest, stream greeterv1.Greeter_CountdownServer) error {
	for n := req.GetFrom(); n >= 0; n-- {
		if err := stream.Send(&greeterv1.CountdownResponse{Number: n}); err != nil {
			return err
		}
	}
	if req.GetFrom() < 0 {
		if err := stream.Send(&greeterv1.CountdownResponse{}); err != nil {
			return err
		}
		g.entered <- struct{}{}
		<-stream.Context().Done()
		g.entered <- struct{}{}
		return stream.Context().Err()
	}
	return nil
}

func (*greeter) Gather(stream greeterv1.Greeter_GatherServer) error {
	var names []string
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&greeterv1.GatherResponse{Greeting: strings.Join(names, " ")})
		}
		if err != nil {
			return err
		}
		names = append(names, req.GetName())
	}
}

func (*greeter) Chat(stream greeterv1.Greeter_ChatServer) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&greeterv1.ChatResponse{Line: req.GetLine()}); err != nil {
			return err
		}
	}
}

// serveGreeter is a program: it serves the greeter on a path until SIGTERM, which also
// lets waiting calls go.
func serveGreeter(args []string) error { return serveGreeterWith(args[0]) }

func serveGreeterWith(path string, opts ...runtime.ServerOption) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	g := newGreeter()
	srv, err := greeterv1.NewGreeterUDSServer(path, g, append(opts, runtime.ShutdownTimeout(500*time.Millisecond))...)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	go func() {
		for range g.entered {
			fmt.Println("waiting")
		}
	}()
	context.AfterFunc(ctx, func() { close(g.release) })
	return srv.Serve(ctx)
}

// served is a server that runs for the length of a test.
type served struct {
	*runtime.Server
	Stop context.CancelFunc // begins the drain
	Done chan error         // gets what Serve returned
}

// serve runs a greeter on path.
func serve(t testing.TB, path string, g greeterv1.GreeterServer, opts ...runtime.ServerOption) *served {
	t.Helper()
	srv, err := greeterv1.NewGreeterUDSServer(path, g, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, srv)
}

func run(t testing.TB, srv *runtime.Server) *served {
	ctx, stop := context.WithCancel(context.Background())
	s := &served{Server: srv, Stop: stop, Done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Done <- srv.Serve(ctx)
	}()
	t.Cleanup(func() {
		stop()
		srv.Close()
		<-ended
	})
	return s
}

func dial(t testing.TB, path string, opts ...runtime.DialOption) (greeterv1.GreeterClient, *runtime.ClientConn) {
	t.Helper()
	client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return client, conn
}

// greet makes a call that must succeed, and returns the server's process id.
func greet(t testing.TB, client greeterv1.GreeterClient) int {
	t.Helper()
	resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := resp.GetGreeting(), "Hello, Ada"; got != want {
		t.Fatalf("greeting is %q, want %q", got, want)
	}
	return int(resp.GetServerPid())
}

func checkCode(t testing.TB, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("status is %v, want %v: %v", got, want, err)
	}
}

// transportOf returns which transport carries a call: "http2" or "direct".
func transportOf(p *peer.Peer) string {
	if info, ok := p.AuthInfo.(runtime.AuthInfo); ok && info.Direct {
		return "direct"
	}
	return "http2"
}

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
