//go:build unix

package descriptors

import (
	"fmt"
	"math"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// fallbackLimit is for a system that does not tell. It leaves a client as many connections of the direct
// transport as it takes at most.
const fallbackLimit = 4096

// Limit returns how many descriptors the process may have.
func Limit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fallbackLimit
	}
	return int(min(uint64(limit.Cur), math.MaxInt32))
}

// Conn makes a connection from a descriptor, which it closes, even if it fails. It needs a free descriptor,
// for package net's copy.
func Conn(fd int, name string) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("%w: descriptor %d", sockerr.ErrNotSocket, fd)
	}
	return unixConn, nil
}

// Pair returns the two ends of a new connection: one for this process, and a file to pass to a child.
func Pair(name string) (own *net.UnixConn, passed *os.File, err error) {
	// Not every system has SOCK_CLOEXEC. Without it a fork at the wrong moment would leak this process's
	// end, and then the other end would stay open when this process ends.
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
	passed = os.NewFile(uintptr(fds[1]), name)
	if own, err = Conn(fds[0], name); err != nil {
		passed.Close()
		return nil, nil, err
	}
	return own, passed, nil
}
