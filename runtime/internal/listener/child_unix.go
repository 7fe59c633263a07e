//go:build unix

package listener

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// BindForChild makes the socket file at addr, with [DefaultMode], for another process to listen on. That
// process gets the returned descriptor and calls [InheritBound] and [ListenInherited]. Until then,
// connecting is refused. As the peer of its clients the kernel names the process that listens, not the one
// that has bound.
//
// It takes no lock and replaces nothing: the file must be in a new directory of the caller, who removes
// both. addr is no abstract name. The errors are those of Listen. On Windows it is [sockerr.ErrUnsupported].
func BindForChild(addr string) (*os.File, error) {
	f, err := bindForChild(addr)
	if err != nil {
		return nil, fmt.Errorf("bind %s: %w", addr, err)
	}
	return f, nil
}

func bindForChild(addr string) (*os.File, error) {
	if isAbstract(addr) {
		return nil, fmt.Errorf("an abstract name has no directory: %w", sockerr.ErrUnsupported)
	}
	path, name := filepath.Split(addr)
	d, err := opendir.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if err := d.Check(); err != nil {
		return nil, err
	}
	sockPath, err := d.SockPath(name)
	if err != nil {
		return nil, err
	}
	return bindSocket(sockPath, uint32(DefaultMode))
}

// InheritBound takes over the descriptor fd, which another process has bound to addr with [BindForChild] and passed
// to this one. It is closed when a child of this process starts a program.
//
// The error wraps [sockerr.ErrNotSocket], and fd is not touched, if it is anything but a socket bound to addr:
// the descriptor may have been meant for the parent of this process. It wraps [sockerr.ErrInUse] if a process
// listens on the socket already. On Windows it is [sockerr.ErrUnsupported].
func InheritBound(fd int, addr string) (*os.File, error) {
	if err := checkBound(fd, addr); err != nil {
		return nil, fmt.Errorf("inherit %s: %w", addr, err)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), addr), nil
}

// ListenInherited listens on f, a socket bound to addr. It duplicates the descriptor; the caller closes f.
//
// The Listener withdraws the socket file as any other does, if it can reach it. A process with another user
// or root directory leaves it to the process that bound it. On Windows the error is [sockerr.ErrUnsupported].
func ListenInherited(f *os.File, addr string) (*Listener, error) {
	l, err := listenOn(f)
	if err != nil {
		return nil, listenError(addr, err)
	}
	return newListener(addr, l, claimInherited(addr)), nil
}

func checkBound(fd int, addr string) error {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("%w: descriptor %d: %w", sockerr.ErrNotSocket, fd, os.NewSyscallError("getsockname", err))
	}
	local, ok := name.(*unix.SockaddrUnix)
	// A path that was too long was bound through a shorter one with the same end.
	if !ok || !strings.HasSuffix(local.Name, "/"+filepath.Base(addr)) {
		return fmt.Errorf("%w: descriptor %d is another socket", sockerr.ErrNotSocket, fd)
	}
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listening != 0 {
		return fmt.Errorf("%w: a process listens on descriptor %d already", sockerr.ErrInUse, fd)
	}
	return nil
}

// claimInherited returns nil if the socket file cannot be reached from here.
func claimInherited(addr string) *claim {
	path, name := filepath.Split(addr)
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
