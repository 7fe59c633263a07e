package socket_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// serveActivated is a program: it finds the socket that it was passed under the name "app", and serves it.
func serveActivated([]string) error {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	addr, ok, err := socket.ActivatedAddress("app")
	if !ok || err != nil {
		return fmt.Errorf("a socket of that name: %v, %w", ok, err)
	}
	if other, ok, err := socket.ActivatedAddress("other"); ok || err != nil || other != (socket.Address{}) {
		return fmt.Errorf("a socket of another name: %v, %v, %w", other, ok, err)
	}
	l, ok, err := socket.Activated(addr)
	if !ok || err != nil {
		return fmt.Errorf("a listener on %s: %v, %w", addr, ok, err)
	}
	if _, ok, err := socket.Activated(addr); ok || err == nil {
		return fmt.Errorf("a second listener on %s: %v", addr, ok)
	}
	fmt.Println(l.Address())
	return sayHello(l)
}

func TestActivatedListenerServesWhereTheManagerListens(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	fd, err := unix.Open(".", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	other := os.NewFile(uintptr(fd), "other")
	defer other.Close()
	managed := os.NewFile(uintptr(dup(t, listenSmall(t, path, 10))), path)
	defer managed.Close()
	cmd := testproc.Command(t, "serve activated")
	cmd.Env = append(cmd.Env, "LISTEN_PID=self", "LISTEN_FDS=2", "LISTEN_FDNAMES=other:app")
	cmd.ExtraFiles = []*os.File{other, managed}
	if got := testproc.StartCmd(t, cmd).Line(); got != path {
		t.Errorf("the service listens on %q, want %q", got, path)
	}
	checkGreets(t, path)
}
