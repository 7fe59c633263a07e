//go:build unix

package socket_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestListenTakesAFreePathAndGivesItBack(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	for range 2 {
		l := listen(t, path)
		if got := l.Address().String(); got != path {
			t.Errorf("listens on %q, want %q", got, path)
		}
		checkConnects(t, l, path)
		checkConnects(t, l, "unix://"+path)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		fixture.CheckMissing(t, path)
	}
}

func TestSocketIsForItsOwnerOnlyUnlessWidened(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666, 0o777, 0o200} {
		path := fixture.FreePath(t)
		listenWith(t, path, socket.ListenConfig{Mode: mode})
		want := mode
		if want == 0 {
			want = 0o600
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != want|fs.ModeSocket {
			t.Errorf("with Mode %#o the socket has %v, want %v", mode, got, want|fs.ModeSocket)
		}
	}
}

func TestModeWithMoreThanPermissionsIsRejected(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	_, err := (&socket.ListenConfig{Mode: 0o600 | fs.ModeSetuid}).Listen(t.Context(), path)
	if !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("error is %v", err)
	}
	fixture.CheckMissing(t, path)
}

func TestSocketOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("giving a file away takes root")
	}
	path := fixture.FreePath(t)
	listenWith(t, path, socket.ListenConfig{Owner: &socket.Owner{UID: 1234, GID: 2345}})
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Uid != 1234 || st.Gid != 2345 {
		t.Errorf("the socket belongs to %d:%d, want 1234:2345", st.Uid, st.Gid)
	}
}

// Whatever is at the path and is not a socket stays there, to the byte.
func TestListenLeavesWhatIsNoSocketAlone(t *testing.T) {
	t.Parallel()
	const content = "do not lose me"
	for name, create := range map[string]func(path string) error{
		"regular file":     func(path string) error { return os.WriteFile(path, []byte(content), 0o644) },
		"empty file":       func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"directory":        func(path string) error { return os.Mkdir(path, 0o755) },
		"named pipe":       func(path string) error { return unix.Mkfifo(path, 0o644) },
		"symbolic link":    func(path string) error { return os.Symlink("/etc/hostname", path) },
		"dangling symlink": func(path string) error { return os.Symlink("/nowhere/to/be/found", path) },
		"link to a dead socket": func(path string) error {
			abandonSocket(t, path+".target")
			return os.Symlink(path+".target", path)
		},
	} {
		path := fixture.FreePath(t)
		if err := create(path); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = socket.Listen(path)
		if !errors.Is(err, socket.ErrNotSocket) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error is %v", name, err)
		}
		after, err := os.Lstat(path)
		if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
			t.Errorf("%s was touched: %v, %v", name, after, err)
		}
		fixture.CheckMissing(t, filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock"))
		if name == "regular file" {
			if got, err := os.ReadFile(path); err != nil || string(got) != content {
				t.Errorf("%s holds %q, %v now", name, got, err)
			}
		}
	}
}

func TestListenReplacesTheSocketOfADeadProcess(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	server := testproc.Start(t, "listen", path)
	server.Line()
	server.Kill()
	server.WaitExit()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the killed server should have left its socket: %v", err)
	}
	checkConnects(t, listen(t, path), path)
}

func TestListenReplacesADeadSocketOfAnyKind(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Close(fd)); err != nil {
		t.Fatal(err)
	}
	checkConnects(t, listen(t, path), path)
}

func TestListenLeavesALiveServerAlone(t *testing.T) {
	t.Parallel()
	t.Run("of this process", func(t *testing.T) {
		path := fixture.FreePath(t)
		l := listen(t, path)
		_, err := socket.Listen(path)
		checkInUse(t, err, "this process")
		checkConnects(t, l, path)
	})
	t.Run("of another process", func(t *testing.T) {
		path := fixture.FreePath(t)
		server := testproc.Start(t, "listen", path)
		server.Line()
		_, err := socket.Listen(path)
		checkInUse(t, err, fmt.Sprintf("process %d holds its lock", server.Process.Pid))
		checkGreets(t, path)
	})
	t.Run("of another process, its lock file removed", func(t *testing.T) {
		path := fixture.FreePath(t)
		server := testproc.Start(t, "listen", path)
		server.Line()
		if err := os.Remove(fixture.LockPath(path)); err != nil {
			t.Fatal(err)
		}
		_, err := socket.Listen(path)
		want := "process"
		if hasPeerPID {
			want = fmt.Sprintf("process %d listens on it", server.Process.Pid)
		}
		checkInUse(t, err, want)
		checkGreets(t, path)
	})
	t.Run("that knows no lock", func(t *testing.T) {
		path := fixture.FreePath(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = socket.Listen(path)
		checkInUse(t, err, "listens on it")
		conn, err := l.Accept() // the probe
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		checkConnects(t, l, path)
	})
	t.Run("with a full queue", func(t *testing.T) {
		path := fixture.FreePath(t)
		fillQueue(t, path)
		_, err := socket.Listen(path)
		checkInUse(t, err, "cannot tell to be dead")
		if !errors.Is(err, unix.EAGAIN) {
			t.Errorf("error hides the errno: %v", err)
		}
	})
	t.Run("of another socket type", func(t *testing.T) {
		path := fixture.FreePath(t)
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = socket.Listen(path)
		checkInUse(t, err, "cannot tell to be dead")
	})
}

func TestCloseLeavesASuccessorAlone(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(t *testing.T, path string) net.Listener{
		"another server": func(t *testing.T, path string) net.Listener {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return l
		},
		"a file": func(t *testing.T, path string) net.Listener {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return nil
		},
	} {
		// On many filesystems a new file gets the inode number of one just removed, unless
		// something holds on to it; several tries make sure.
		for range 20 {
			path := fixture.FreePath(t)
			l := listen(t, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			successor := replace(t, path)
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); err != nil {
				t.Fatalf("%s was removed: %v", name, err)
			}
			if successor != nil {
				checkConnects(t, successor, path)
			}
		}
	}
}

func TestLockFileStaysAndIsPrivate(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l := listen(t, path)
	before, err := os.Lstat(fixture.LockPath(path))
	if err != nil {
		t.Fatal(err)
	}
	if before.Mode() != 0o600 {
		t.Errorf("the lock file has mode %v", before.Mode())
	}
	l.Close()
	l = listen(t, path)
	after, err := os.Lstat(fixture.LockPath(path))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the lock file was made anew: %v", err)
	}
	checkConnects(t, l, path)
}

// In a directory that others can write to, they could put something of theirs where the
// lock goes.
func TestLockIsNotTakenThroughATrap(t *testing.T) {
	t.Parallel()
	const content = "do not lose me"
	for name, create := range map[string]func(lock, victim string) error{
		"symbolic link": func(lock, victim string) error { return os.Symlink(victim, lock) },
		"named pipe":    func(lock, _ string) error { return unix.Mkfifo(lock, 0o666) },
		"directory":     func(lock, _ string) error { return os.Mkdir(lock, 0o777) },
	} {
		path := fixture.FreePath(t)
		victim := filepath.Join(fixture.ShortDir(t), "victim")
		if err := os.WriteFile(victim, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := create(fixture.LockPath(path), victim); err != nil {
			t.Fatal(err)
		}
		if l, err := socket.Listen(path); err == nil {
			t.Errorf("%s in place of the lock file was accepted", name)
			l.Close()
		} else if !strings.Contains(err.Error(), fixture.LockPath(path)) {
			t.Errorf("%s in place of the lock file: the error does not name it: %v", name, err)
		}
		if got, err := os.ReadFile(victim); err != nil || string(got) != content {
			t.Errorf("%s in place of the lock file: the victim holds %q, %v now", name, got, err)
		}
	}
}

func TestOneOfManyListenersWins(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	abandonSocket(t, path)
	var wg sync.WaitGroup
	results := make(chan error, 50)
	for range cap(results) {
		wg.Go(func() {
			l, err := socket.Listen(path)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			results <- err
		})
	}
	wg.Wait()
	close(results)
	winners := 0
	for err := range results {
		if err == nil {
			winners++
		} else if !errors.Is(err, socket.ErrInUse) {
			t.Errorf("a loser got %v", err)
		}
	}
	if winners != 1 {
		t.Errorf("%d listeners won", winners)
	}
}
