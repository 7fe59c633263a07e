package listener_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestWithdrawnListenerKeepsItsPathAndItsClients(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l := listen(t, path)
	conn, err := (&socket.Dialer{}).DialContext(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if !l.HasQueued() {
		t.Error("a client waits, but HasQueued is false")
	}
	if err := errors.Join(l.Withdraw(), l.Withdraw()); err != nil {
		t.Error(err)
	}
	fixture.CheckMissing(t, path)
	_, err = socket.Listen(path)
	checkInUse(t, err, "this process")
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	accepted.Close()
	if l.HasQueued() {
		t.Error("nobody waits, but HasQueued is true")
	}
}

func TestFileThatCannotBeRemovedIsTriedAgainAndReported(t *testing.T) {
	t.Parallel()
	for name, unmounted := range map[string]bool{"as long as it is a mount point": false, "and is removed when it is none any more": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			l := listen(t, path)
			if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
				t.Skipf("mounting takes root: %v", err)
			}
			t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
			if err := l.Withdraw(); !errors.Is(err, unix.EBUSY) {
				t.Errorf("Withdraw returned %v", err)
			}
			if unmounted {
				if err := unix.Unmount(path, 0); err != nil {
					t.Fatal(err)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				fixture.CheckMissing(t, path)
				return
			}
			for range 2 {
				if err := l.Close(); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), path) {
					t.Errorf("Close returned %v", err)
				}
			}
		})
	}
}

// listenInJail is a program: it listens in a root directory of its own, where there is no /proc, with
// another mode than the umask leaves, and prints the result.
func listenInJail(args []string) error {
	if err := errors.Join(unix.Chroot(args[0]), unix.Chdir("/")); err != nil {
		return err
	}
	unix.Umask(0o022)
	l, err := (&listener.Config{Mode: 0o660}).Listen(context.Background(), "/a.sock")
	if err != nil {
		return err
	}
	defer l.Close()
	info, err := os.Lstat("/a.sock")
	if err != nil {
		return err
	}
	fmt.Printf("%v\n", info.Mode().Perm())
	return nil
}

func TestModeIsSetWithoutProc(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("chroot takes root")
	}
	p := testproc.Start(t, "listen in jail", fixture.ShortDir(t))
	if got, want := p.Line(), fs.FileMode(0o660).String(); got != want {
		t.Errorf("the mode is %s, want %s", got, want)
	}
	if err := p.WaitExit(); err != nil {
		t.Error(err)
	}
}

// abandonAsAnother is a program: it listens as root, becomes another user and closes.
func abandonAsAnother(args []string) error {
	l, err := socket.Listen(args[0])
	if err != nil {
		return err
	}
	if err := unix.Setuid(1234); err != nil {
		return err
	}
	fmt.Println(l.Close())
	return nil
}

func TestFileIsReportedThatAProcessMayNotRemoveAnyMore(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := fixture.FreePath(t)
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	p := testproc.Start(t, "abandon as another", path)
	if line := p.Line(); !strings.Contains(line, "permission denied") || !strings.Contains(line, path) {
		t.Errorf("Close returned %q", line)
	}
	if err := p.WaitExit(); err != nil {
		t.Error(err)
	}
}
