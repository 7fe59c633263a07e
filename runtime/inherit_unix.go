//go:build unix

package runtime

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/childproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
)

func inherit() *inheritance {
	i := &inheritance{}
	path, ok := os.LookupEnv(childproc.ListenPathEnv)
	if !ok || os.Getuid() != os.Geteuid() {
		return i
	}
	listenFD, lifelineFD := os.Getenv(childproc.ListenFDEnv), os.Getenv(childproc.LifelineFDEnv)
	for _, name := range []string{childproc.ListenPathEnv, childproc.ListenFDEnv, childproc.LifelineFDEnv} {
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
		return nil, fmt.Errorf("environment variable %s: %w", childproc.ListenFDEnv, err)
	}
	return listener.InheritBound(fd, path)
}

func inheritLifeline(number string) (*net.UnixConn, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", childproc.LifelineFDEnv, err)
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return nil, fmt.Errorf("lifeline, descriptor %d: %w", fd, os.NewSyscallError("getpeername", err))
	}
	return descriptors.Conn(fd, "lifeline")
}
