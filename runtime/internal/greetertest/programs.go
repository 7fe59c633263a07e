package greetertest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// Program is a program, "greeter" where tests start it: it serves the greeter on a path until SIGTERM, which also
// lets waiting calls go.
func Program(args []string) error { return ServeUntilTerminated(args[0]) }

// ServeUntilTerminated is [Program] with options. It prints "serving" when clients can connect, and "waiting" for
// each value of [Greeter].Entered.
func ServeUntilTerminated(path string, opts ...runtime.ServerOption) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	g := New()
	srv, err := greeterv1.NewGreeterUDSServer(path, g, append([]runtime.ServerOption{runtime.ShutdownTimeout(500 * time.Millisecond)}, opts...)...)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	go func() {
		for range g.Entered {
			fmt.Println("waiting")
		}
	}()
	context.AfterFunc(ctx, func() { close(g.Release) })
	return srv.Serve(ctx)
}

// ServeParent is a program: it serves its parent, and minds no signal.
func ServeParent([]string) error {
	srv, err := greeterv1.NewGreeterUDSServer(runtime.InheritedPath(), New())
	if err != nil {
		return err
	}
	return srv.Serve(context.Background())
}

// SuccessorProgram is the name under which [StartSuccessor] starts [TakeOverAndServe].
const SuccessorProgram = "take over and serve"

// TakeOverAndServe is a program: the next version of the greeter. It says "ready" when it has
// the listener, waits for a line, and serves.
func TakeOverAndServe(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	srv, err := greeterv1.NewGreeterUDSServer(args[0], New(), runtime.Takeover())
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	return srv.Serve(ctx)
}

// Successor is a running [TakeOverAndServe].
type Successor struct {
	*testproc.Process
	gate io.WriteCloser
}

// StartSuccessor returns when the process has the listener but does not serve yet.
func StartSuccessor(t *testing.T, path string) *Successor {
	t.Helper()
	cmd := testproc.Command(t, SuccessorProgram, path)
	gate, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &Successor{testproc.StartCmd(t, cmd), gate}
	if line := s.Line(); line != "ready" {
		t.Fatalf("the successor says %q", line)
	}
	return s
}

// Serve lets the successor serve.
func (s *Successor) Serve(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(s.gate, "\n"); err != nil {
		t.Fatal(err)
	}
}
