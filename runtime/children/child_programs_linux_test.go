package children_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// serveParent is a program: it serves the greeter to the parent, and lets waiting calls go
// when its input ends. With an argument it creates that file before it serves.
func serveParent(args []string) error {
	g := greetertest.New()
	srv, err := greeterv1.NewGreeterUDSServer(runtime.InheritedPath(), g)
	if err != nil {
		return err
	}
	fmt.Println("made")
	go func() {
		for range g.Entered {
			fmt.Println("waiting")
		}
	}()
	if len(args) > 0 {
		io.Copy(io.Discard, os.Stdin)
		if err := os.WriteFile(args[0], nil, 0o600); err != nil {
			return err
		}
	} else {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			close(g.Release)
		}()
	}
	return srv.Serve(context.Background())
}

// serveEveryone is a program: it serves its parent as if it had made the socket for everyone, and prints its
// events.
func serveEveryone([]string) error {
	srv, err := greeterv1.NewGreeterUDSServer(runtime.InheritedPath(), greetertest.New(), runtime.Authorize(runtime.Anyone()),
		runtime.EventLog(slog.New(slog.NewTextHandler(os.Stdout, nil))))
	if err != nil {
		return err
	}
	return srv.Serve(context.Background())
}

// startParent is a program: it starts a child that serves it, passes on the file that it was
// given, and stays.
func startParent([]string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "UDSGRPC_TEST_PROGRAM=serve parent")
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "alive")}
	cmd.Stdin = os.Stdin
	c, err := runtime.StartChild(context.Background(), cmd)
	if err != nil {
		return err
	}
	fmt.Println(c.Path())
	return c.Wait()
}

// crash is a program that ends before it serves.
func crash([]string) error {
	os.Exit(3)
	return nil
}

// exitWithoutServing is a program that did not ask for what it inherited.
func exitWithoutServing([]string) error { return nil }

// neverServe is a program that makes its server and then hangs.
func neverServe([]string) error {
	if _, err := greeterv1.NewGreeterUDSServer(runtime.InheritedPath(), greetertest.New()); err != nil {
		return err
	}
	fmt.Println("made")
	return testproc.WaitForKill()
}

// stayStubborn is a program that continues after it has served.
func stayStubborn([]string) error {
	if err := serveParent(nil); err != nil {
		return err
	}
	return testproc.WaitForKill()
}

// serveInherited starts a program as a child of this process and returns a client of it.
func serveInherited(t *testing.T, cmd *exec.Cmd, opts ...runtime.ChildOption) (*runtime.Child, greeterv1.GreeterClient) {
	t.Helper()
	c, err := runtime.StartChild(context.Background(), cmd, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, greeterv1.NewGreeterClient(c.Conn())
}

// holdInput gives a command an input that ends when release is called.
func holdInput(t *testing.T, cmd *exec.Cmd) (release func()) {
	t.Helper()
	w, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return func() { w.Close() }
}

// readLines gives a command an output, and returns a function that returns its lines one by one.
func readLines(t *testing.T, cmd *exec.Cmd) (line func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	t.Cleanup(func() { errors.Join(r.Close(), w.Close()) })
	lines := bufio.NewScanner(r)
	return func() string {
		lines.Scan()
		return lines.Text()
	}
}

// checkTidy checks that the process is not even a zombie and that its directory is gone.
func checkTidy(t *testing.T, cmd *exec.Cmd, c *runtime.Child) {
	t.Helper()
	if err := syscall.Kill(cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", cmd.Process.Pid, err)
	}
	if c != nil {
		fixture.CheckMissing(t, filepath.Dir(c.Path()))
	}
}
