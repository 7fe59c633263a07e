package restarts_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// notifySocket is a service manager's socket for messages.
func notifySocket(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func checkNotified(t *testing.T, conn *net.UnixConn, want string) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(fixture.Guard))
	message := make([]byte, 1000)
	n, err := conn.Read(message)
	if err != nil || string(message[:n]) != want {
		t.Errorf("the manager is told %q, %v; want %q", message[:n], err, want)
	}
}

func TestManagerIsToldOfTheBeginningAndTheEnd(t *testing.T) {
	t.Parallel()
	for _, name := range []string{filepath.Join(fixture.ShortDir(t), "notify"), abstractName(t)} {
		manager := notifySocket(t, name)
		paths := []string{fixture.FreePath(t), fixture.FreePath(t)}
		cmd := activated(t, "serve activated", []*os.File{manage(t, paths[0]), manage(t, paths[1])}, paths...)
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+name)
		service := testproc.StartCmd(t, cmd)
		for _, path := range paths {
			client, _ := greetertest.Dial(t, path)
			greetertest.Greet(t, client)
		}
		checkNotified(t, manager, "READY=1")
		terminate(t, service)
		checkNotified(t, manager, "STOPPING=1")
		// That was all, of both servers.
		if _, err := manager.WriteTo([]byte("the end"), manager.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		checkNotified(t, manager, "the end")
	}
}

func TestManagerIsToldOfTheEndWhileCallsAreStillFinished(t *testing.T) {
	t.Parallel()
	name, path := filepath.Join(fixture.ShortDir(t), "notify"), fixture.FreePath(t)
	manager := notifySocket(t, name)
	cmd := activated(t, "serve activated", []*os.File{manage(t, path)}, path)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+name)
	service := testproc.StartCmd(t, cmd)
	client, _ := greetertest.Dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.Countdown(ctx, &greeterv1.CountdownRequest{From: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	checkNotified(t, manager, "READY=1")
	began := time.Now()
	if err := service.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	checkNotified(t, manager, "STOPPING=1")
	if took := time.Since(began); took > runtime.DefaultShutdownTimeout/2 {
		t.Errorf("the manager was told after %v: the drain was over by then", took)
	}
	cancel()
	if err := service.WaitExit(); err != nil {
		t.Error(err)
	}
}

func TestManagerThatDoesNotListenDoesNotMatter(t *testing.T) {
	t.Parallel()
	full := filepath.Join(fixture.ShortDir(t), "notify")
	notifySocket(t, full)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for err == nil {
		err = unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrUnix{Name: full})
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Fatal(err)
	}
	for what, name := range map[string]string{"hangs": full, "is gone": fixture.FreePath(t), "is nonsense": "\x01nonsense/"} {
		path := fixture.FreePath(t)
		cmd := activated(t, "serve activated", []*os.File{manage(t, path)}, path)
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+name)
		service := testproc.StartCmd(t, cmd)
		client, _ := greetertest.Dial(t, path)
		greetertest.Greet(t, client)
		hung := time.AfterFunc(20*time.Second, service.Kill)
		terminate(t, service)
		if !hung.Stop() {
			t.Errorf("a server whose manager %s does not end", what)
		}
	}
}
