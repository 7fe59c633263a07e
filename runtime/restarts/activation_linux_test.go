package restarts_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	adminv1 "github.com/udsgrpc/udsgrpc/examples/rules/gen/admin/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// serveActivated is a program: a daemon with a server on each of the paths, which ends with
// SIGTERM. Its rules let in everyone, though it does not say SocketMode.
func serveActivated(paths []string) error {
	if os.Getenv("LISTEN_PID") == "self" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	served := make(chan error)
	for _, path := range paths {
		srv, err := greeterv1.NewGreeterUDSServer(path, greetertest.New(), runtime.Authorize(runtime.Anyone()), runtime.SocketOwner(-1, os.Getgid()))
		if err != nil {
			return err
		}
		adminv1.RegisterAdminServer(srv, adminv1.UnimplementedAdminServer{})
		go func() { served <- srv.Serve(ctx) }()
	}
	fmt.Println("serving")
	var err error
	for range paths {
		err = errors.Join(err, <-served)
	}
	return err
}

// callByDefault is a program: it calls the greeter on a path and prints who the kernel says
// has answered.
func callByDefault(args []string) error {
	client, conn, err := greeterv1.DialGreeterUDS(args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	var p peer.Peer
	if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}, grpc.Peer(&p)); err != nil {
		return err
	}
	fmt.Println("uid", p.AuthInfo.(runtime.AuthInfo).Peer.UID)
	return nil
}

// manage makes the listening socket of a service manager, with a mode that lets in everyone.
func manage(t *testing.T, path string) *os.File {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	if path[0] != '@' {
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func abstractName(t *testing.T) string { return fmt.Sprintf("@udsgrpc-%d-%s", os.Getpid(), t.Name()) }

// activated returns the command of a program as a service manager starts it.
func activated(t *testing.T, program string, files []*os.File, paths ...string) *exec.Cmd {
	t.Helper()
	cmd := testproc.Command(t, program, paths...)
	cmd.Env = append(cmd.Env, "LISTEN_PID=self", "LISTEN_FDS="+strconv.Itoa(len(files)))
	cmd.ExtraFiles = files
	return cmd
}

// activate starts the program "serve activated".
func activate(t *testing.T, files []*os.File, paths ...string) *testproc.Process {
	t.Helper()
	return testproc.StartCmd(t, activated(t, "serve activated", files, paths...))
}

// terminate makes a server drain and waits for its end.
func terminate(t *testing.T, p *testproc.Process) {
	t.Helper()
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitExit(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// systemdActivated returns the command of systemd's own tool, which waits for a client and then
// becomes the program "serve activated".
func systemdActivated(t *testing.T, path string, flags ...string) *exec.Cmd {
	t.Helper()
	tool := testproc.Tool(t, "systemd-socket-activate", "systemd")
	cmd := testproc.Command(t, "serve activated", path)
	program := cmd.Args
	cmd.Path, cmd.Args = tool, append([]string{tool}, flags...)
	// The tool passes on nothing else of the environment.
	for _, variable := range cmd.Env[len(os.Environ()):] {
		cmd.Args = append(cmd.Args, "--setenv="+variable)
	}
	cmd.Args = append(cmd.Args, program...)
	return cmd
}

func TestSystemdStartsTheServerWithTheFirstClient(t *testing.T) {
	t.Parallel()
	for _, path := range []string{fixture.FreePath(t), abstractName(t)} {
		service := testproc.StartCmd(t, systemdActivated(t, path, "--listen="+path))
		client, conn := greetertest.Dial(t, path)
		ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
		defer cancel()
		if err := conn.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		if got := greetertest.Greet(t, client); got != service.Process.Pid {
			t.Errorf("process %d answered, want %d", got, service.Process.Pid)
		}
		terminate(t, service)
		if path[0] == '@' {
			continue
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("systemd's socket file is gone: %v", err)
		}
	}
}

// systemd-socket-activate starts a service once; the test keeps the socket for it, as the
// service manager would.
func TestSystemdStartsTheServerAgain(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	f := manage(t, path)
	client, _ := greetertest.Dial(t, path)
	var last int
	for range 3 {
		cmd := systemdActivated(t, path)
		cmd.Path = "/bin/sh"
		cmd.Args = append([]string{"sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh"}, cmd.Args...)
		cmd.ExtraFiles = []*os.File{f}
		service := testproc.StartCmd(t, cmd)
		now := greetertest.Greet(t, client)
		if now != service.Process.Pid || now == last {
			t.Errorf("process %d answered, want %d", now, service.Process.Pid)
		}
		last = now
		terminate(t, service)
	}
}

func TestSystemdsSocketStaysAsItIs(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	f := manage(t, path)
	before, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	service := activate(t, []*os.File{f}, path)
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	terminate(t, service)
	after, err := os.Lstat(path)
	if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() {
		t.Errorf("the socket file was %v and is %v, %v", before, after, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("there is more than the socket in its directory: %v, %v", entries, err)
	}
}

func TestOneProcessServesSeveralOfSystemdsSockets(t *testing.T) {
	t.Parallel()
	paths := []string{fixture.FreePath(t), abstractName(t)}
	service := activate(t, []*os.File{manage(t, paths[0]), manage(t, paths[1])}, paths...)
	for _, path := range paths {
		client, _ := greetertest.Dial(t, path)
		if got := greetertest.Greet(t, client); got != service.Process.Pid {
			t.Errorf("%s: process %d answered, want %d", path, got, service.Process.Pid)
		}
	}
	terminate(t, service)
}

// The options that matter to a file of the server's own are checked if there is no
// activation: the same program then fails for want of a SocketMode.
func TestModeIsCheckedUnlessItIsSystemds(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	p := activate(t, []*os.File{manage(t, fixture.FreePath(t))}, path)
	if err := p.WaitExit(); err == nil || !strings.Contains(err.Error(), "add SocketMode") {
		t.Errorf("error is %v", err)
	}
	fixture.CheckMissing(t, path)
}

func TestSenselessActivationIsAnError(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	cmd := activated(t, "serve activated", []*os.File{manage(t, path)}, path)
	cmd.Env = append(cmd.Env, "LISTEN_FDS=x")
	if err := testproc.StartCmd(t, cmd).WaitExit(); err == nil || !strings.Contains(err.Error(), `LISTEN_FDS is "x"`) {
		t.Errorf("error is %v", err)
	}
}

// Clients come all the time, each with a connection of its own, and none of them notices
// that the server is replaced. Those who connect to a server that drains wait for the next.
func TestRestartsOfAnActivatedServerLoseNoCall(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	files := []*os.File{manage(t, path)}
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	var calls atomic.Int64
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				client, conn, err := greeterv1.DialGreeterUDS(path)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}); err != nil {
					t.Errorf("a call was lost: %v", err)
				}
				calls.Add(1)
				conn.Close()
			}
		})
	}
	defer clients.Wait()
	defer stop()
	for range 5 {
		service := activate(t, files, path)
		service.Line()
		before := calls.Load()
		fixture.Eventually(t, "calls", func() bool { return calls.Load() > before+100 })
		began := time.Now()
		terminate(t, service)
		if took := time.Since(began); took > runtime.DefaultShutdownTimeout/2 {
			t.Errorf("the drain took %v: new clients kept it going", took)
		}
	}
	last := activate(t, files, path)
	last.Line()
}

// The kernel tells clients that the manager is the server, since it listened.
func TestClientTrustsTheManagersSocket(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	ann := greetertest.User{UID: 1234, GID: 1234}
	path := greetertest.PublicPath(t)
	cmd := activated(t, "serve activated", []*os.File{manage(t, path)}, path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ann.UID, Gid: ann.GID}}
	service := testproc.StartCmd(t, cmd)
	for _, u := range []greetertest.User{ann, {}} {
		caller := greetertest.StartAs(t, u, "call by default", path)
		if got := caller.Line(); got != "uid 0" {
			t.Errorf("the server of uid %d is %q to its clients, want root, who passed the socket", ann.UID, got)
		}
	}
	terminate(t, service)
}

// A process that made and closed a server may make it again, and at no time two.
func TestActivatedSocketIsServedOnceAtATime(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	p := testproc.StartCmd(t, activated(t, "activate again", []*os.File{manage(t, path)}, path))
	if got := p.Line(); got != "again" {
		t.Errorf("the service says %q", got)
	}
	if err := p.WaitExit(); err != nil {
		t.Error(err)
	}
}

// activateAgain is a program that makes servers on one of the manager's sockets.
func activateAgain(args []string) error {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	for range 3 {
		srv, err := runtime.NewServer(args[0])
		if err != nil {
			return err
		}
		if _, err := runtime.NewServer(args[0]); !errors.Is(err, socket.ErrInUse) {
			return fmt.Errorf("a second server: %v", err)
		}
		if err := srv.Close(); err != nil {
			return err
		}
	}
	fmt.Println("again")
	return nil
}
