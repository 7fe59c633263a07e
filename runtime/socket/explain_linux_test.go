package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// diagnoseWithoutDescriptors is a program that has used up its descriptors when it diagnoses its paths.
func diagnoseWithoutDescriptors(args []string) error {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	// Go's poller takes descriptors of its own once.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	for err == nil {
		_, err = unix.Dup(0)
	}
	if !errors.Is(err, unix.EMFILE) {
		return err
	}
	for _, path := range args {
		fmt.Println(socket.Diagnose(context.Background(), path))
	}
	return nil
}

// What this process lacks is not blamed on the modes of directories, nor on the server.
func TestWantOfDescriptorsIsExplained(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	listen(t, path)
	long := filepath.Join(filepath.Dir(path), strings.Repeat("long", 30), "s.sock") // dialed by its directory
	p := testproc.Start(t, "diagnose without descriptors", path, long)
	for range 2 {
		line := p.Line()
		if !strings.HasPrefix(line, "unreachable: this process has no descriptor left: ") || !strings.Contains(line, unix.EMFILE.Error()) {
			t.Errorf("diagnosis is %q", line)
		}
	}
}

// diagnoseMount is a program in a mount namespace of its own: it has a socket file mounted at another path,
// replaces the file, as a server does that starts again, and diagnoses the mount.
func diagnoseMount(args []string) error {
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	original, mounted := filepath.Join(args[0], "original"), filepath.Join(args[0], "mounted")
	err := errors.Join(
		fixture.AbandonSocket(original),
		os.WriteFile(mounted, nil, 0o600),
		unix.Mount(original, mounted, "", unix.MS_BIND, ""),
		os.Remove(original),
	)
	if err != nil {
		return err
	}
	l, err := socket.Listen(original)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println(socket.Diagnose(context.Background(), mounted))
	return nil
}

func TestMountedSocketFileThatWasReplacedIsExplained(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root")
	}
	cmd := testproc.Command(t, "diagnose mount", fixture.ShortDir(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	line := testproc.StartCmd(t, cmd).Line()
	if !strings.HasPrefix(line, "stale: a socket file is mounted there that was replaced where it came from") || !strings.Contains(line, "mount the directory") {
		t.Errorf("diagnosis is %q", line)
	}
}

func TestMissingDirectoryNamesTheOptionThatMakesIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(fixture.ShortDir(t), "none", "s.sock")
	_, listenErr := socket.Listen(path)
	_, dialErr := (&socket.Dialer{}).DialContext(context.Background(), path)
	for _, err := range []error{listenErr, dialErr} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "runtime.CreateDir()") {
			t.Errorf("error is %v", err)
		}
	}
}

func TestUnsafeDirectoryNamesEachSafeOwnerOnce(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("giving a directory away takes root")
	}
	path := fixture.FreePath(t)
	if err := os.Chown(filepath.Dir(path), 1234, -1); err != nil {
		t.Fatal(err)
	}
	_, err := socket.Listen(path)
	if !errors.Is(err, socket.ErrUnsafeDir) || !strings.HasSuffix(err.Error(), ": use a directory of root") {
		t.Errorf("error is %v", err)
	}
}
