//go:build unix

package runtime

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func inherit() *inheritance {
	i := &inheritance{}
	path, ok := os.LookupEnv(listenPathEnv)
	if !ok || os.Getuid() != os.Geteuid() {
		return i
	}
	listenFD, lifelineFD := os.Getenv(listenFDEnv), os.Getenv(lifelineFDEnv)
	for _, name := range []string{listenPathEnv, listenFDEnv, lifelineFDEnv} {
		os.Unsetenv(name)
	}
	i.path = path
	if i.bound, i.err = inheritSocket(listenFD, path); i.err != nil {
		return i
	}
	if i.lifeline, i.err = inheritLifeline(lifelineFD); i.err != nil {
		i.bound.Close()
	}
	return i
}

func inheritSocket(number, path string) (*os.File, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", listenFDEnv, err)
	}
	return listener.InheritBound(fd, path)
}

func inheritLifeline(number string) (*net.UnixConn, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", lifelineFDEnv, err)
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return nil, fmt.Errorf("lifeline, descriptor %d: %w", fd, os.NewSyscallError("getpeername", err))
	}
	return connOf(fd, "lifeline")
}

// connOf makes a connection from a descriptor, which it closes.
func connOf(fd int, name string) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("%w: descriptor %d", socket.ErrNotSocket, fd)
	}
	return unixConn, nil
}

// newLifeline returns the parent's end of a new socket pair and the one to pass on.
func newLifeline() (parent *net.UnixConn, child *os.File, err error) {
	// Not every system has SOCK_CLOEXEC; without it a fork at the wrong moment would leak the
	// parent's end, and the child would outlive its parent.
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	child = os.NewFile(uintptr(fds[1]), "lifeline")
	if parent, err = connOf(fds[0], "lifeline"); err != nil {
		child.Close()
		return nil, nil, err
	}
	return parent, child, nil
}
