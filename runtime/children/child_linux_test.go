package children_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestChildServesUnderItsOwnIdentity(t *testing.T) {
	t.Parallel()
	cmd := testproc.Command(t, "serve parent")
	holdInput(t, cmd)
	c, client := serveInherited(t, cmd)
	var p peer.Peer
	resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.Peer(&p))
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetServerPid() != int64(cmd.Process.Pid) {
		t.Errorf("process %d answered, want %d", resp.GetServerPid(), cmd.Process.Pid)
	}
	if got := p.AuthInfo.(runtime.AuthInfo).Peer; got.PID != cmd.Process.Pid {
		t.Errorf("the server is %v, want process %d", got, cmd.Process.Pid)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the child ended with %v", err)
	}
	checkTidy(t, cmd, c)
	_, err = client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.Canceled)
}

func TestStartChildWaitsUntilTheChildServes(t *testing.T) {
	t.Parallel()
	served := filepath.Join(fixture.ShortDir(t), "served")
	cmd := testproc.Command(t, "serve parent", served)
	release, line := holdInput(t, cmd), readLines(t, cmd)
	type result struct {
		c   *runtime.Child
		err error
	}
	started := make(chan result, 1)
	go func() {
		c, err := runtime.StartChild(context.Background(), cmd)
		started <- result{c, err}
	}()
	if got := line(); got != "made" {
		t.Fatalf("the child says %q", got)
	}
	select {
	case <-started:
		t.Error("StartChild returned before Serve")
	case <-time.After(100 * time.Millisecond):
	}
	release()
	r := <-started
	if r.err != nil {
		t.Fatal(r.err)
	}
	defer r.c.Close()
	if _, err := os.Stat(served); err != nil {
		t.Errorf("StartChild returned before Serve: %v", err)
	}
	greetertest.Greet(t, greeterv1.NewGreeterClient(r.c.Conn()))
}

func TestChildThatDoesNotServeIsAnError(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	defer end()
	for _, test := range []struct {
		program string
		ctx     context.Context
		timeout time.Duration
		is      error
		exit    int // -1: no ExitError
		text    string
	}{
		{"crash", t.Context(), time.Minute, nil, 3, "exit status 3"},
		{"exit without serving", t.Context(), time.Minute, nil, 0, "exit status 0"},
		{"never serve", t.Context(), 300 * time.Millisecond, context.DeadlineExceeded, -1, "was killed"},
		{"never serve", ended, time.Minute, context.Canceled, -1, "was killed"},
	} {
		cmd := testproc.Command(t, test.program)
		if test.ctx == ended {
			line := readLines(t, cmd)
			go func() {
				line()
				end()
			}()
		}
		c, err := runtime.StartChild(test.ctx, cmd, runtime.StartTimeout(test.timeout))
		if err == nil {
			c.Close()
			t.Fatalf("%s: no error", test.program)
		}
		var exit *exec.ExitError
		if got := errors.As(err, &exit); got != (test.exit >= 0) || got && exit.ExitCode() != test.exit {
			t.Errorf("%s: exit error is %v in %v", test.program, exit, err)
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: error is %v, want %v", test.program, err, test.is)
		}
		for _, want := range []string{test.text, "runtime.InheritedPath()", cmd.Path} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is missing in %v", test.program, want, err)
			}
		}
		checkTidy(t, cmd, nil)
	}
}

// A grandchild that was started without close-on-exec holds the child's end of the lifeline.
func TestStartChildDoesNotWaitForGrandchildren(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", "sleep 600 & echo $!; exit 3")
	line := readLines(t, cmd)
	_, err := runtime.StartChild(t.Context(), cmd)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 3 {
		t.Errorf("error is %v", err)
	}
	grandchild, err := strconv.Atoi(line())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(grandchild, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestStartChildFailsEarly(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := runtime.StartChild(ended, testproc.Command(t, "serve parent")); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if _, err := runtime.StartChild(t.Context(), exec.Command("/nowhere/plugin")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	for _, opt := range []runtime.ChildOption{
		runtime.StartTimeout(0), runtime.StopTimeout(-1), runtime.ChildDialOptions(runtime.WithMaxRecvMsgSize(0)),
	} {
		if _, err := runtime.StartChild(t.Context(), testproc.Command(t, "serve parent"), opt); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("error is %v", err)
		}
	}
}

// endings are the ways to ask a child to end.
var endings = map[string]func(c *runtime.Child, end context.CancelFunc){
	"Close":       func(c *runtime.Child, _ context.CancelFunc) { c.Close() },
	"end of ctx":  func(_ *runtime.Child, end context.CancelFunc) { end() },
	"many Closes": func(c *runtime.Child, end context.CancelFunc) { go c.Close(); end(); c.Close() },
}

func TestChildDrainsWhenItIsToEnd(t *testing.T) {
	t.Parallel()
	for name, ask := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := testproc.Command(t, "serve parent")
			release, line := holdInput(t, cmd), readLines(t, cmd)
			ctx, end := context.WithCancel(context.Background())
			defer end()
			c, err := runtime.StartChild(ctx, cmd, runtime.StopTimeout(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			answered := make(chan error, 1)
			go func() {
				_, err := greeterv1.NewGreeterClient(c.Conn()).Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
				answered <- err
			}()
			if got := line() + " " + line(); got != "made waiting" {
				t.Fatalf("the child says %q", got)
			}
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				ask(c, end)
			}()
			fixture.AwaitMissing(t, c.Path()) // it drains
			release()
			if err := <-answered; err != nil {
				t.Errorf("the call in flight was lost: %v", err)
			}
			<-asked
			if err := c.Wait(); err != nil {
				t.Errorf("the child ended with %v", err)
			}
			fixture.AwaitMissing(t, filepath.Dir(c.Path()))
			checkTidy(t, cmd, c)
		})
	}
}

func TestStubbornChildIsKilled(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*runtime.Child) error{
		"timeout": (*runtime.Child).Close,
		"context": func(c *runtime.Child) error {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			return c.Stop(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := time.Minute
			if name == "timeout" {
				timeout = 50 * time.Millisecond
			}
			cmd := testproc.Command(t, "stay stubborn")
			c, client := serveInherited(t, cmd, runtime.StopTimeout(timeout))
			greetertest.Greet(t, client)
			err := stop(c)
			var exit *exec.ExitError
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &exit) || !strings.Contains(err.Error(), "was killed") {
				t.Errorf("error is %v", err)
			}
			if again := c.Close(); again == nil || again.Error() != err.Error() {
				t.Errorf("the second error is %v, want %v", again, err)
			}
			checkTidy(t, cmd, c)
		})
	}
}

func TestChildThatDiesIsNoticed(t *testing.T) {
	t.Parallel()
	cmd := testproc.Command(t, "serve parent")
	holdInput(t, cmd)
	c, client := serveInherited(t, cmd)
	greetertest.Greet(t, client)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) {
		t.Errorf("Wait returned %v", err)
	}
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.Unavailable)
	if err := c.Close(); !errors.As(err, &exit) {
		t.Errorf("Close returned %v", err)
	}
	checkTidy(t, cmd, c)
}

func TestChildEndsWithItsKilledParent(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := testproc.Command(t, "start parent")
	cmd.ExtraFiles = []*os.File{w}
	holdInput(t, cmd)
	parent := testproc.StartCmd(t, cmd)
	w.Close()
	path := parent.Line()
	client, _ := greetertest.Dial(t, path)
	if pid := greetertest.Greet(t, client); pid == parent.Process.Pid {
		t.Fatal("the parent itself answers")
	}
	parent.Kill()
	parent.WaitExit()
	// The child is the last one to hold the other end.
	if err := r.SetReadDeadline(time.Now().Add(fixture.Guard)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the child outlives its parent: %v", err)
	}
	fixture.CheckMissing(t, filepath.Dir(path))
}

func TestManyChildrenAtOnce(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for range 8 {
		cmd := testproc.Command(t, "serve parent")
		all.Go(func() {
			c, err := runtime.StartChild(context.Background(), cmd)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := greeterv1.NewGreeterClient(c.Conn()).Greet(t.Context(), &greeterv1.GreetRequest{})
			if err != nil || resp.GetServerPid() != int64(cmd.Process.Pid) {
				t.Errorf("process %d answered, want %d: %v", resp.GetServerPid(), cmd.Process.Pid, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// Not parallel: it changes the environment.
func TestChildWithALongTemporaryDirectory(t *testing.T) {
	cmd := testproc.Command(t, "serve parent") // makes the executable, in a directory that stays
	dir := filepath.Join(fixture.ShortDir(t), strings.Repeat("d", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	c, client := serveInherited(t, cmd)
	greetertest.Greet(t, client)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	checkTidy(t, cmd, c)
}

// Not parallel: it counts the descriptors of the process, changes its environment, and stops
// the garbage collector, which closes files that were forgotten.
func TestChildrenLeakNothing(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	testproc.Command(t, "crash") // makes the executable, in a directory that stays
	dir := fixture.ShortDir(t)
	t.Setenv("TMPDIR", dir)
	commands := func() (cmds []*exec.Cmd) {
		for _, program := range []string{"serve parent", "crash", "exit without serving", "never serve"} {
			cmds = append(cmds, testproc.Command(t, program))
		}
		return append(cmds, exec.Command("/nowhere/plugin"))
	}
	use := func() {
		for i, cmd := range commands() {
			timeout := time.Minute
			if i == 3 {
				timeout = 100 * time.Millisecond
			}
			c, err := runtime.StartChild(context.Background(), cmd, runtime.StartTimeout(timeout))
			if (err == nil) != (i == 0) {
				t.Errorf("%s: error is %v", cmd, err)
			}
			if err == nil {
				greetertest.Greet(t, greeterv1.NewGreeterClient(c.Conn()))
				c.Close()
			}
		}
	}
	use()
	before := fixture.OpenFiles(t)
	for range 3 {
		use()
	}
	fixture.Eventually(t, "descriptors to be closed", func() bool { return fixture.OpenFiles(t) <= before })
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Not parallel, as TestChildrenLeakNothing.
func TestSupervisorKeepsNothingOfChildrenThatHaveEnded(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	t.Setenv("TMPDIR", fixture.ShortDir(t))
	s, err := runtime.Supervise(t.Context(), func() *exec.Cmd { return testproc.Command(t, "serve parent") })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := greeterv1.NewGreeterClient(s.Conn())
	restart := func() {
		before := s.Restarts()
		if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		fixture.Eventually(t, "another child", func() bool { return s.Restarts() > before && s.PID() != 0 })
		if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	before := fixture.OpenFiles(t)
	for range 3 {
		restart()
	}
	fixture.Eventually(t, "descriptors to be closed", func() bool { return fixture.OpenFiles(t) <= before })
}
