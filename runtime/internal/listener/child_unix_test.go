//go:build unix

package listener_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// bind binds a socket and returns a descriptor of it as a child process has it.
func bind(t *testing.T, path string) (fd int) {
	t.Helper()
	f, err := listener.BindForChild(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fd, err = unix.Dup(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestBoundSocketIsListenedOnByItsSuccessor(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	fd := bind(t, path)
	if _, err := net.Dial("unix", path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting before anybody listens: %v", err)
	}
	if _, err := listener.BindForChild(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("binding again: %v", err)
	}
	f, err := listener.InheritBound(fd, path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := listener.ListenInherited(f, path)
	if err != nil {
		t.Fatal(err)
	}
	checkConnects(t, l, path)
	if _, err := listener.InheritBound(int(f.Fd()), path); !errors.Is(err, socket.ErrInUse) {
		t.Errorf("inheriting a socket that somebody listens on: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is still there: %v", err)
	}
}

func TestSuccessorDoesNotRemoveItsOwnSuccessor(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	f, err := listener.InheritBound(bind(t, path), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := listener.ListenInherited(f, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor := listen(t, path)
	l.Close()
	checkConnects(t, successor, path)
}

// A descriptor that is another one than the variable of the environment meant is left alone.
func TestInheritBoundLeavesOtherDescriptorsAlone(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	other := bind(t, path)
	defer unix.Close(other)
	pipe := make([]int, 2)
	if err := unix.Pipe(pipe); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	for name, fd := range map[string]int{"another socket": other, "pipe": pipe[0], "closed": 1 << 19} {
		if _, err := listener.InheritBound(fd, fixture.FreePath(t)+"2"); !errors.Is(err, socket.ErrNotSocket) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if flags, err := unix.FcntlInt(uintptr(pipe[0]), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Errorf("the flags of the pipe are %#x: %v", flags, err)
	}
}

func TestBindRefusesWhatListenRefuses(t *testing.T) {
	t.Parallel()
	if _, err := listener.BindForChild("@name"); !errors.Is(err, socket.ErrUnsupported) {
		t.Errorf("abstract name: %v", err)
	}
	path := fixture.FreePath(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listener.BindForChild(path); err == nil {
		t.Error("bound over a file")
	}
}
