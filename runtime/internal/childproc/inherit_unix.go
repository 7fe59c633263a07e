//go:build unix

package childproc

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
)

// Inherit takes over what the parent has passed to this process: it removes the variables from the
// environment, and marks the descriptors close-on-exec. The second call finds nothing. A process whose
// effective user is not the real one inherits nothing.
func Inherit() (i Inheritance) {
	path, ok := os.LookupEnv(ListenPathEnv)
	if !ok || os.Getuid() != os.Geteuid() {
		return i
	}
	listenFD, lifelineFD := os.Getenv(ListenFDEnv), os.Getenv(LifelineFDEnv)
	for _, name := range []string{ListenPathEnv, ListenFDEnv, LifelineFDEnv} {
		os.Unsetenv(name)
	}
	i.Path = path
	if i.Bound, i.Err = inheritSocket(listenFD, path); i.Err != nil {
		return i
	}
	if i.Lifeline, i.Err = inheritLifeline(lifelineFD); i.Err != nil {
		i.Bound.Close()
	}
	return i
}

func inheritSocket(number, path string) (*os.File, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", ListenFDEnv, err)
	}
	return listener.InheritBound(fd, path)
}

func inheritLifeline(number string) (*net.UnixConn, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", LifelineFDEnv, err)
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return nil, fmt.Errorf("lifeline, descriptor %d: %w", fd, os.NewSyscallError("getpeername", err))
	}
	return descriptors.Conn(fd, "lifeline")
}
