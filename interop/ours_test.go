package interop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // as a server has it whose clients compress
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// authorities takes note of what clients send as :authority.
type authorities struct {
	mu   sync.Mutex
	seen map[string]bool
}

func newAuthorities() *authorities { return &authorities{seen: map[string]bool{}} }

func (a *authorities) add(authority string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[authority] = true
}

func (a *authorities) note(ctx context.Context) {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, v := range md.Get(":authority") {
		a.add(v)
	}
}

func (a *authorities) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(a.seen)), ", ")
}

func (a *authorities) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	a.note(ctx)
	return next(ctx, req)
}

func (a *authorities) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	a.note(s.Context())
	return next(srv, s)
}

// serve runs this project's server with grpc's TestService until the end of the row.
func (c *cell) serve(path string, opts ...runtime.ServerOption) *authorities {
	c.Helper()
	a := newAuthorities()
	server, err := newServer(path, append(opts, runtime.UnaryInterceptor(a.unary), runtime.StreamInterceptor(a.stream))...)
	if err != nil {
		c.Fatalf("%v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	c.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			c.Errorf("serve: %v", err)
		}
	})
	return a
}

func newServer(path string, opts ...runtime.ServerOption) (*runtime.Server, error) {
	server, err := runtime.NewServer(path, append([]runtime.ServerOption{runtime.Health(), runtime.Reflection()}, opts...)...)
	if err != nil {
		return nil, err
	}
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	return server, nil
}

// runServer is the program that a service manager starts: it serves args[0] until SIGTERM, and with a second
// argument takes the path over.
func runServer(args []string) error {
	if len(args) == 0 {
		return errors.New("want the path of the socket")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var opts []runtime.ServerOption
	if slices.Contains(args[1:], "takeover") {
		opts = append(opts, runtime.Takeover())
	}
	server, err := newServer(args[0], opts...)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return server.Serve(ctx)
}
