package udstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// maxPath is how long a socket's path may be on every system; Linux and Windows have room for four
// more bytes.
const maxPath = 103

// Path returns a path for a socket, in a new directory that only the user of the test may enter
// and that is removed at the end of the test. Other sockets and files of the test may go into the
// same directory.
//
// The path is absolute and has at most 103 bytes, which is short enough for every program and
// system; one in t.TempDir need not be. The directory is in [os.TempDir] or, where that fails or
// makes it too long, in /tmp, but for Windows. The test fails at once if neither will do.
func Path(tb testing.TB) string {
	tb.Helper()
	var errs error
	for _, parent := range tempDirs() {
		path, err := newPath(tb, parent)
		if err == nil {
			return path
		}
		errs = errors.Join(errs, err)
	}
	tb.Fatalf("udstest: no place for a socket: set TMPDIR to a short path: %v", errs)
	return ""
}

func tempDirs() []string {
	if runtime.GOOS == "windows" {
		return []string{os.TempDir()}
	}
	return []string{os.TempDir(), "/tmp"}
}

// newPath makes a directory in parent for a path. There is no directory afterwards if it fails.
func newPath(tb testing.TB, parent string) (string, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, "uds")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "s.sock")
	if len(path) > maxPath {
		return "", errors.Join(fmt.Errorf("%s has %d bytes, the limit is %d", path, len(path), maxPath), os.Remove(dir))
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("udstest: remove the directory of the socket: %v", err)
		}
	})
	return path, nil
}
