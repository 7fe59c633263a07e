package children_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// showInheritance is a program: it prints what a child of its own would get, and what a second
// server on the inherited listener does.
func showInheritance([]string) error {
	path := runtime.InheritedPath()
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "UDSGRPC_LI") || strings.HasPrefix(v, "NOTIFY_SOCKET=") {
			fmt.Println("environment:", v)
		}
	}
	for fd := 3; fd < 100; fd++ {
		if _, err := unix.Getsockname(fd); err != nil {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fmt.Println("socket:", fd)
		}
	}
	srv, err := greeterv1.NewGreeterUDSServer(path, greetertest.New())
	if err != nil {
		return err
	}
	_, err = greeterv1.NewGreeterUDSServer(path, greetertest.New())
	fmt.Println("second in use:", errors.Is(err, socket.ErrInUse))
	return srv.Serve(context.Background())
}

func TestInheritanceIsTheChildsAlone(t *testing.T) {
	t.Parallel()
	cmd := testproc.Command(t, "show inheritance")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET=/nowhere")
	line := readLines(t, cmd)
	serveInherited(t, cmd)
	if got, want := line(), "second in use: true"; got != want {
		t.Errorf("the child says %q, want %q", got, want)
	}
}

// The environment may reach a process that the descriptors do not.
func TestEnvironmentWithoutDescriptors(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"2", "3", "0x", ""} {
		cmd := testproc.Command(t, "serve parent")
		path := fixture.FreePath(t)
		cmd.Env = append(cmd.Env, "UDSGRPC_LISTEN_PATH="+path, "UDSGRPC_LISTEN_FD="+number, "UDSGRPC_LIFELINE_FD="+number)
		p := testproc.StartCmd(t, cmd)
		err := p.WaitExit()
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "start this process with runtime.StartChild") {
			t.Errorf("descriptor %q: error is %v", number, err)
		}
	}
}

func TestWithoutAParentThereIsNoInheritedPath(t *testing.T) {
	t.Parallel()
	if got := runtime.InheritedPath(); got != "" {
		t.Errorf("inherited path is %q", got)
	}
	_, err := greeterv1.NewGreeterUDSServer(runtime.InheritedPath(), greetertest.New())
	if !errors.Is(err, os.ErrInvalid) || !strings.Contains(err.Error(), "runtime.StartChild") {
		t.Errorf("error is %v", err)
	}
}

func TestChildOfAnotherUser(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	cmd := testproc.Command(t, "serve parent")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}}
	c, client := serveInherited(t, cmd)
	var p peer.Peer
	if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.Peer(&p)); err != nil {
		t.Fatal(err)
	}
	if got := p.AuthInfo.(runtime.AuthInfo).Peer; got.UID != 1234 {
		t.Errorf("the server is %v, want uid 1234", got)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	checkTidy(t, cmd, c)

	cmd = testproc.Command(t, "serve parent")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}}
	_, client = serveInherited(t, cmd, runtime.ChildDialOptions(runtime.WithServerPolicy(runtime.Root())))
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
	if err == nil || !strings.Contains(err.Error(), "talks to root only") {
		t.Errorf("error is %v", err)
	}
}

// The parent has made the file and its directory, for itself.
func TestChildMayAllowMoreThanTheParentsFileDoes(t *testing.T) {
	t.Parallel()
	var events strings.Builder
	cmd := testproc.Command(t, "serve everyone")
	cmd.Stdout = &events
	c, _ := serveInherited(t, cmd)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got := events.String(); !strings.Contains(got, "msg=serving") || strings.Contains(got, "narrow") {
		t.Errorf("the child's events are %s", got)
	}
}
