package socket_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// A process that is being started has all descriptors of its parent until it runs its program.
func TestClosedPathIsFreeWhileProcessesAreStarted(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	var starter sync.WaitGroup
	starter.Go(func() {
		missing := "/" + strings.Repeat("missing/", 400) // takes the kernel a while
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := os.StartProcess(missing, nil, &os.ProcAttr{}); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
				return
			}
		}
	})
	defer starter.Wait()
	defer close(stop)
	for _, path := range []string{fixture.FreePath(t), fmt.Sprintf("@udsgrpc-close-test-%d", os.Getpid())} {
		for i := range 1000 {
			l, err := socket.Listen(path)
			if err != nil {
				t.Fatalf("attempt %d: %v", i, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A successor that was killed, or gave up, may have its copy a little longer than its owner.
func TestClosedListenerGivesUpItsLockWhoeverHasACopy(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l := listen(t, path)
	dup, err := unix.FcntlInt(lockDescriptor(t, path), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dup)
	l.Close()
	listen(t, path)
}

// lockDescriptor finds this process's descriptor of the lock of path.
func lockDescriptor(t *testing.T, path string) uintptr {
	t.Helper()
	for fd := range uintptr(1 << 12) {
		if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil && to == fixture.LockPath(path) {
			return fd
		}
	}
	t.Fatal("the lock file is not open")
	return 0
}
