//go:build unix

package socket

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// Bind makes the socket file at path, with [DefaultMode], for another process to listen on. That process
// gets the returned descriptor and calls [InheritBound] and [ListenBound]. Until then, connecting is
// refused. As the peer of its clients the kernel names the process that listens, not the one that called
// Bind.
//
// Bind takes no lock and replaces nothing: path must be in a new directory of the caller, who removes
// both. It is no abstract name. The errors are those of [Listen]. On Windows it is [ErrUnsupported].
func Bind(path string) (*os.File, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	f, err := bindOnly(addr)
	if err != nil {
		return nil, fmt.Errorf("bind %s: %w", addr, err)
	}
	return f, nil
}

func bindOnly(addr Address) (*os.File, error) {
	if addr.IsAbstract() {
		return nil, fmt.Errorf("an abstract name has no directory: %w", ErrUnsupported)
	}
	path, name := addr.split()
	d, err := opendir.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if err := d.Check(); err != nil {
		return nil, err
	}
	reach, err := d.Reach(name)
	if err != nil {
		return nil, err
	}
	return bindSocket(reach, uint32(DefaultMode))
}

// InheritBound takes over the descriptor fd, which another process has bound to path with
// [Bind] and passed to this one. It is closed when a child of this process starts a program.
//
// The error wraps [ErrNotSocket], and fd is not touched, if it is anything but a socket bound to path: the
// descriptor may have been meant for the parent of this process. It wraps [ErrInUse] if a process listens
// on the socket already. On Windows it is [ErrUnsupported].
func InheritBound(fd int, path string) (*os.File, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	if err := checkBound(fd, addr); err != nil {
		return nil, fmt.Errorf("inherit %s: %w", addr, err)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), addr.String()), nil
}

// ListenBound listens on f, a socket bound to path. It duplicates the descriptor; the caller
// closes f.
//
// The Listener withdraws the socket file as any other does, if it can reach it. A process with another
// user or root directory leaves it to the process that bound it. On Windows the error is [ErrUnsupported].
func ListenBound(f *os.File, path string) (*Listener, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	l, err := listenBound(f)
	if err != nil {
		return nil, listenError(addr, err)
	}
	return newListener(addr, l, claimBound(addr)), nil
}

func checkBound(fd int, addr Address) error {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("%w: descriptor %d: %w", ErrNotSocket, fd, os.NewSyscallError("getsockname", err))
	}
	local, ok := name.(*unix.SockaddrUnix)
	// A path that was too long was bound through a shorter one with the same end.
	if !ok || !strings.HasSuffix(local.Name, "/"+filepath.Base(addr.String())) {
		return fmt.Errorf("%w: descriptor %d is another socket", ErrNotSocket, fd)
	}
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listening != 0 {
		return fmt.Errorf("%w: a process listens on descriptor %d already", ErrInUse, fd)
	}
	return nil
}

// claimBound returns nil if the socket file cannot be reached from here.
func claimBound(addr Address) *claim {
	path, name := addr.split()
	d, err := opendir.Open(path)
	if err != nil {
		return nil
	}
	p, err := pinFile(d, name)
	if err != nil {
		d.Close()
		return nil
	}
	return &claim{dir: d, name: name, pin: p}
}
