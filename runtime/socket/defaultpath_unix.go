//go:build unix

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// defaultDir returns the directory of default paths.
func defaultDir() (string, error) {
	if rootDir != "" && os.Geteuid() == 0 {
		return rootDir, checkDir(rootDir)
	}
	// By the specification, an empty variable counts as not set.
	if path := os.Getenv("XDG_RUNTIME_DIR"); path != "" {
		if err := checkRuntimeDir(path); err != nil {
			return "", fmt.Errorf("XDG_RUNTIME_DIR: %w: correct or unset it, for server and client", err)
		}
		return path, nil
	}
	return dirOfUser(os.TempDir())
}

// checkDir refuses a directory whose entries others can replace.
func checkDir(path string) error {
	d, err := opendir.Open(path + "/")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Check()
}

// checkRuntimeDir checks the rules of the XDG specification. It follows symbolic links: the process that
// set the variable answers for them.
func checkRuntimeDir(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%q is a relative path: %w", path, fs.ErrInvalid)
	}
	d, err := opendir.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(d.FD, &st); err != nil {
		return &os.PathError{Op: "stat directory", Path: path, Err: err}
	}
	return checkPrivate(d, "", path, st)
}

// dirOfUser returns the user's own directory in parent, and makes it if it is missing.
func dirOfUser(parent string) (string, error) {
	if !filepath.IsAbs(parent) {
		return "", fmt.Errorf("TMPDIR: %q is a relative path: correct or unset it, for server and client: %w", parent, fs.ErrInvalid)
	}
	d, err := opendir.Open(parent + "/")
	if err != nil {
		return "", err
	}
	defer d.Close()
	// Nobody else can replace it, so what is found now does not change.
	if err := d.Check(); err != nil {
		return "", err
	}
	name := "udsgrpc-" + strconv.Itoa(os.Geteuid())
	path := filepath.Join(parent, name)
	if err := unix.Mkdirat(d.FD, name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return "", &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	st, err := d.Lstat(name)
	if err != nil {
		return "", err
	}
	return path, checkPrivate(d, name, path, st)
}

// checkPrivate refuses anything but a directory that only the user may enter: name in d, or d itself if
// name is empty. Errors call it path.
func checkPrivate(d *opendir.Dir, name, path string, st unix.Stat_t) error {
	mode, uid := uint32(st.Mode), os.Geteuid()
	switch {
	case mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%w: %s is %s: a directory of uid %d with mode 0700 is wanted: %w",
			ErrUnsafeDir, path, opendir.FileType(mode), uid, unix.ENOTDIR)
	case !d.IsOwn(name, st):
		return fmt.Errorf("%w: %s belongs to %s: a directory of uid %d is wanted", ErrUnsafeDir, path, d.DescribeOwner(name, st), uid)
	case mode&0o777 != 0o700:
		return fmt.Errorf("%w: %s has mode %#o: mode 0700 is wanted", ErrUnsafeDir, path, mode&0o7777)
	}
	return nil
}
