//go:build unix

package socket_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestDirectoryInWhichOthersCanReplaceTheSocketIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode   os.FileMode
		uid    int
		unsafe bool
	}{
		{mode: 0o700, uid: os.Geteuid()},
		{mode: 0o755, uid: os.Geteuid()},
		{mode: 0o777 | fs.ModeSticky, uid: os.Geteuid()},
		{mode: 0o777, uid: os.Geteuid(), unsafe: true},
		{mode: 0o775, uid: os.Geteuid(), unsafe: true},
		{mode: 0o757, uid: os.Geteuid(), unsafe: true},
		{mode: 0o755, uid: os.Geteuid() + 1, unsafe: true},
		{mode: 0o777 | fs.ModeSticky, uid: os.Geteuid() + 1, unsafe: true},
	} {
		if c.uid != os.Geteuid() && os.Geteuid() != 0 {
			continue // giving a directory away takes root
		}
		dir := fixture.ShortDir(t)
		path := filepath.Join(dir, "s.sock")
		if err := errors.Join(os.Chown(dir, c.uid, -1), os.Chmod(dir, c.mode)); err != nil {
			t.Fatal(err)
		}
		l, err := socket.Listen(path)
		if err == nil {
			l.Close()
		}
		if got := errors.Is(err, socket.ErrUnsafeDir); got != c.unsafe || err != nil && !got {
			t.Errorf("directory of uid %d with mode %v: error is %v", c.uid, c.mode, err)
		}
		if c.unsafe {
			fixture.CheckMissing(t, fixture.LockPath(path))
			checkConnects(t, listenWith(t, path, socket.ListenConfig{AllowUnsafeDir: true}), path)
		}
	}
}

func TestMissingDirectoryIsCreatedOnlyOnRequest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(fixture.ShortDir(t), "a", "b", "s.sock")
	if _, err := socket.Listen(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	checkConnects(t, listenWith(t, path, socket.ListenConfig{CreateDir: true}), path)
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if info, err := os.Lstat(dir); err != nil || info.Mode() != 0o700|fs.ModeDir {
			t.Errorf("%s has mode %v, %v", dir, info.Mode(), err)
		}
	}
}

func TestReadOnlyDirectoryIsAnErrorThatSaysSo(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	dir := fixture.ShortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.sock")
	cmd := testproc.Command(t, "listen", path)
	runAs(cmd, 1234)
	err := testproc.StartCmd(t, cmd).WaitExit()
	if err == nil || !strings.Contains(err.Error(), unix.EACCES.Error()) || !strings.Contains(err.Error(), fixture.LockPath(path)) {
		t.Errorf("the server says %v", err)
	}
}

func TestPathMayHaveAnyLengthAndAnyBytes(t *testing.T) {
	t.Parallel()
	dir := fixture.ShortDir(t)
	ofLength := func(n int) string { return dir + "/" + strings.Repeat("n", n-len(dir)-1) }
	deep := filepath.Join(dir, strings.Repeat("d", 200), strings.Repeat("e", 200), "s.sock")
	if err := os.MkdirAll(filepath.Dir(deep), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"one byte under the limit": ofLength(maxPath - 1),
		"at the limit":             ofLength(maxPath),
		"one byte over":            shorten(t, dir, maxPath+1),
		"two bytes over":           shorten(t, dir, maxPath+2),
		"deep":                     deep,
		"space":                    dir + "/a b",
		"URL characters":           dir + "/a#b?c%20d&e=f;g,h+i",
		"unicode":                  dir + "/жü漢🙂",
		"not UTF-8":                dir + "/\xff\xfe",
		"newline":                  dir + "/a\nb",
		"quote and backslash":      dir + `/"'\`,
		"leading at":               dir + "/@at",
		"leading dash":             dir + "/-f",
		"colon":                    dir + "/unix:x",
	} {
		if len(path) > maxPath && !hasLongPaths {
			if _, err := socket.Listen(path); !errors.Is(err, socket.ErrPathTooLong) {
				t.Errorf("%s: error is %v", name, err)
			}
			continue
		}
		l, err := socket.Listen(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkConnects(t, l, path)
		if _, err := socket.Listen(path); !errors.Is(err, socket.ErrInUse) {
			t.Errorf("%s: second listener: %v", name, err)
		}
		l.Close()
		fixture.CheckMissing(t, path)
	}
	if hasLongPaths {
		server := testproc.Start(t, "listen", deep)
		server.Line()
		server.Kill()
		server.WaitExit()
		checkConnects(t, listen(t, deep), deep)
	}
}

func TestFileNameTooLongForEveryDetourIsRefusedWithBothNumbers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(fixture.ShortDir(t), strings.Repeat("n", 120))
	_, err := socket.Listen(path)
	if !errors.Is(err, socket.ErrPathTooLong) || !strings.Contains(err.Error(), "limit is 10") {
		t.Errorf("error is %v", err)
	}
	_, err = (&socket.Dialer{}).DialContext(t.Context(), path)
	if !errors.Is(err, socket.ErrPathTooLong) {
		t.Errorf("dialing: error is %v", err)
	}
}

func TestRelativePathIsResolvedAtTheCall(t *testing.T) {
	dir := fixture.ShortDir(t)
	t.Chdir(dir)
	l := listen(t, "s.sock")
	t.Chdir("/")
	checkConnects(t, l, filepath.Join(dir, "s.sock"))
	l.Close()
	fixture.CheckMissing(t, filepath.Join(dir, "s.sock"))
}

// shorten returns a path of n bytes with a short file name, its directory made.
func shorten(t *testing.T, dir string, n int) string {
	t.Helper()
	sub := filepath.Join(dir, strings.Repeat("s", n-len(dir)-len("/")-len("/s.sock")))
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(sub, "s.sock")
}
