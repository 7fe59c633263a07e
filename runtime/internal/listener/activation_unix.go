//go:build unix

package listener

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The protocol is not read with go-systemd's activation package. Its Files makes an os.File of every
// descriptor at each call, and the garbage collector then closes descriptors that a second server of the
// process, or other code, still needs. It also treats invalid variables as if the program was not
// activated.

const (
	firstPassed = 3 // SD_LISTEN_FDS_START

	// maxPassed is far more than any unit passes. An invalid number must not make the program search for
	// that many descriptors.
	maxPassed = 1 << 16
)

// activated returns the listener on addr among the passed descriptors; nil if there is none.
func activated(addr string) (*Listener, error) {
	fds, err := passedFDs()
	if err != nil {
		return nil, err
	}
	var unfit error
	for _, fd := range fds {
		bound, ok := boundTo(fd)
		if !ok || !sameSocket(bound, addr) {
			continue
		}
		// Abstract names of different kinds of sockets do not exclude each other, so a matching one may
		// follow.
		if err := checkListening(fd); err != nil {
			unfit = errors.Join(unfit, fmt.Errorf("descriptor %d: %w", fd, err))
			continue
		}
		return listenPassed(addr, &passed{fd: fd})
	}
	return nil, unfit
}

func listenPassed(addr string, p *passed) (_ *Listener, err error) {
	if !p.take() {
		return nil, inUse(os.Getpid(), "listens on it")
	}
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	// The descriptor itself stays open, for the next listener of this process.
	fd, err := unix.FcntlInt(uintptr(p.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), addr)
	// net.FileListener duplicates the descriptor.
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	listener := newListener(addr, l.(*net.UnixListener), nil)
	listener.passed = p
	return listener, nil
}

func activatedAddress(name string) (addr string, found bool, err error) {
	fds, err := passedFDs()
	if err != nil || len(fds) == 0 {
		return "", false, err
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	if len(names) != len(fds) {
		return "", false, fmt.Errorf("LISTEN_FDNAMES is %q, but LISTEN_FDS is %d: set FileDescriptorName= in the unit, or all of LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES: %w",
			os.Getenv("LISTEN_FDNAMES"), len(fds), fs.ErrInvalid)
	}
	for i, fd := range fds {
		bound, ok := boundTo(fd)
		if names[i] != name || !ok || checkListening(fd) != nil {
			continue
		}
		if found && bound != addr {
			return "", false, fmt.Errorf("both %s and %s have this name: give each a unit with a FileDescriptorName= of its own: %w",
				addr, bound, fs.ErrInvalid)
		}
		addr, found = bound, true
	}
	return addr, found, nil
}

// passedFDs returns the numbers of the descriptors that were passed to this process, and marks them
// close-on-exec. Some may be closed by now.
func passedFDs() ([]int, error) {
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS"} {
		if os.Getenv(name) == "" {
			return nil, nil
		}
	}
	pid, err := listenNumber("LISTEN_PID", 1<<31-1)
	if err != nil {
		return nil, err
	}
	if pid != os.Getpid() {
		// They are for the parent of this process.
		return nil, nil
	}
	n, err := listenNumber("LISTEN_FDS", maxPassed)
	if err != nil {
		return nil, err
	}
	fds := make([]int, n)
	for i := range fds {
		fds[i] = firstPassed + i
		unix.CloseOnExec(fds[i])
	}
	return fds, nil
}

func listenNumber(name string, highest int) (int, error) {
	value := os.Getenv(name)
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > highest {
		return 0, fmt.Errorf("%s is %q, want a number up to %d: unset LISTEN_PID and LISTEN_FDS, or let the service manager set them: %w",
			name, value, highest, fs.ErrInvalid)
	}
	return n, nil
}

// boundTo returns where a descriptor is bound. It reports false if it is no Unix domain
// socket, has no name, or is closed.
func boundTo(fd int) (addr string, ok bool) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return "", false
	}
	own, ok := sa.(*unix.SockaddrUnix)
	if !ok || own.Name == "" {
		return "", false
	}
	if isAbstract(own.Name) {
		return own.Name, true
	}
	addr, err = filepath.Abs(own.Name)
	return addr, err == nil
}

// sameSocket reports whether two addresses lead to the same socket: they are equal, or they lead to the
// same file through a symbolic link among the directories.
func sameSocket(a, b string) bool {
	if a == b {
		return true
	}
	if isAbstract(a) || isAbstract(b) {
		return false
	}
	x, errX := os.Lstat(a)
	y, errY := os.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// checkListening returns why a socket cannot be listened on.
func checkListening(fd int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return os.NewSyscallError("getsockopt SO_TYPE", err)
	}
	if kind != unix.SOCK_STREAM {
		return fmt.Errorf("it is a datagram or seqpacket socket: write ListenStream= in the unit: %w", fs.ErrInvalid)
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return os.NewSyscallError("getsockopt SO_ACCEPTCONN", err)
	}
	if listening == 0 {
		return fmt.Errorf("it is a connection, or does not listen: write Accept=no in the unit: %w", fs.ErrInvalid)
	}
	return nil
}
