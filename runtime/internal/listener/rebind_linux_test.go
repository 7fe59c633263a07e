package listener_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// rebind makes the socket of l again.
func rebind(t *testing.T, l *listener.Listener, path string) *listener.Listener {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	again, err := l.Rebind()
	if err != nil || again == nil {
		t.Fatalf("the socket was not bound again: %v, %v", again, err)
	}
	t.Cleanup(func() { again.Close() })
	return again
}

// The listener that a successor was sent no longer has the path: if it were given away, nobody would
// serve.
func TestWhatIsMadeAnewDuringAHandoverIsNotGivenAway(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, l *listener.Listener, path string) *listener.Listener{
		"the socket": rebind,
		"the lock file": func(t *testing.T, l *listener.Listener, path string) *listener.Listener {
			if err := os.Remove(fixture.LockPath(path)); err != nil {
				t.Fatal(err)
			}
			if again, err := l.Rebind(); err != nil || again != nil {
				t.Fatalf("Rebind returns %v, %v", again, err)
			}
			return l
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			owner := listen(t, path)
			handed := offer(t.Context(), owner)
			successor := takeOver(t, path)
			owner = lose(t, owner, path)
			if err := successor.Commit(); !errors.Is(err, socket.ErrInUse) {
				t.Errorf("the successor's commit: %v", err)
			}
			if err := <-handed; err == nil || !strings.Contains(err.Error(), "made again") {
				t.Errorf("the owner sees %v", err)
			}
			successor.Close()
			checkConnects(t, owner, path)
			if _, err := socket.Listen(path); !errors.Is(err, socket.ErrInUse) {
				t.Errorf("the path is not locked: %v", err)
			}
		})
	}
}

func TestListenerThatWasReplacedIsNotHandedOver(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	old := listen(t, path)
	again := rebind(t, old, path)
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	owner, successor := unixConn(t, ends[0]), unixConn(t, ends[1])
	handed := make(chan error, 1)
	go func() { handed <- old.HandOver(t.Context(), owner) }()
	answer := make([]byte, 1)
	if _, err := successor.Read(answer); err != nil || answer[0] != 'A' { // ask again
		t.Errorf("the successor is answered %q, %v", answer, err)
	}
	successor.Close()
	if err := <-handed; err == nil || !strings.Contains(err.Error(), "made again") {
		t.Errorf("the owner sees %v", err)
	}
	checkConnects(t, again, path)
}

// Listeners that have replaced each other share descriptors, whose numbers are others' once closed.
func TestListenersThatHaveReplacedEachOtherCloseNothingTwice(t *testing.T) {
	// Not parallel: a descriptor that another test opens could be closed here.
	path := fixture.FreePath(t)
	old := listen(t, path)
	again := rebind(t, old, path)
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	var mine []int
	for range 20 {
		fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		mine = append(mine, fd)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	for _, fd := range mine {
		if err := syscall.Close(fd); err != nil {
			t.Errorf("descriptor %d was closed: %v", fd, err)
		}
	}
}

// rebindInVain is a program: it gives its socket to a group, loses the privilege to do so, and then the
// socket. It prints the error, how many descriptors were left open, and whether there is a file.
func rebindInVain(args []string) error {
	conf := listener.Config{Owner: &listener.Owner{UID: -1, GID: 4242}, AllowUnsafeDir: true}
	l, err := conf.Listen(context.Background(), args[0])
	if err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setuid(1234), os.Remove(args[0])); err != nil {
		return err
	}
	count := func() int {
		entries, _ := os.ReadDir("/proc/self/fd")
		return len(entries)
	}
	before := count()
	for range 10 {
		if _, err = l.Rebind(); err == nil {
			return errors.New("the socket was bound again")
		}
	}
	after := count()
	_, statErr := os.Lstat(args[0])
	fmt.Println(errors.Is(err, fs.ErrPermission), after-before, errors.Is(statErr, fs.ErrNotExist))
	return nil
}

// pathOfUser returns a free path in a directory of another user.
func pathOfUser(t *testing.T, uid int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("losing privileges takes some")
	}
	path := fixture.FreePath(t)
	if err := os.Chown(filepath.Dir(path), uid, -1); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRebindThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	path := pathOfUser(t, 1234)
	if got, want := testproc.Start(t, "rebind in vain", path).Line(), "true 0 true"; got != want {
		t.Errorf("the program prints %q, want %q", got, want)
	}
}

// inheritInVain is a program without privileges: an owner, and a successor that is to give the socket to a
// group. It prints what becomes of that.
func inheritInVain(args []string) error {
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setuid(1234)); err != nil {
		return err
	}
	ctx := context.Background()
	owner, err := (&listener.Config{}).Listen(ctx, args[0])
	if err != nil {
		return err
	}
	handed := offer(ctx, owner)
	conf := listener.Config{Owner: &listener.Owner{UID: -1, GID: 4242}}
	successor, err := conf.TakeOver(ctx, args[0], dial)
	if err != nil {
		return err
	}
	commitErr := successor.Commit()
	if err := successor.Close(); err != nil {
		return err
	}
	go owner.Accept()
	_, dialErr := (&socket.Dialer{}).DialContext(ctx, args[0])
	fmt.Println(errors.Is(commitErr, fs.ErrPermission), <-handed != nil, dialErr)
	return nil
}

func TestSuccessorThatCannotSetTheOwnerLeavesTheFormerOneServing(t *testing.T) {
	t.Parallel()
	path := pathOfUser(t, 1234)
	if got, want := testproc.Start(t, "inherit in vain", path).Line(), "true true <nil>"; got != want {
		t.Errorf("the program prints %q, want %q", got, want)
	}
}

// unixConn makes a connection of a descriptor.
func unixConn(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}

// The reason is the same whether the directory had gone before Rebind looked at it or went while it worked.
func TestRebindInADirectoryThatIsBeingRemovedSaysSo(t *testing.T) {
	t.Parallel()
	for range 150 {
		dir := filepath.Join(fixture.ShortDir(t), "dir")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		l := listen(t, filepath.Join(dir, "s.sock"))
		removed := make(chan error, 1)
		go func() {
			err := os.RemoveAll(dir)
			for errors.Is(err, syscall.ENOTEMPTY) { // Rebind has made the files again
				err = os.RemoveAll(dir)
			}
			removed <- err
		}()
		var reason error
		fixture.Eventually(t, "Rebind to fail", func() bool {
			again, err := l.Rebind()
			if again != nil {
				l.UnixListener.Close()
				l = again
			}
			reason = err
			return err != nil
		})
		if err := <-removed; err != nil {
			t.Fatal(err)
		}
		l.Close()
		if !strings.Contains(reason.Error(), "the directory was moved or removed") {
			t.Errorf("Rebind returns %v", reason)
		}
	}
}
