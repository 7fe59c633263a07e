//go:build unix

package listener

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// createDir creates the missing directories of a path. It changes none that exists, or that another
// process creates at the same time.
func createDir(path string, c *Config) error {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return &os.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := createDir(filepath.Dir(path), c); err != nil {
		return err
	}
	if err := os.Mkdir(path, DefaultDirMode); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return openUp(path, c)
}

// openUp gives a directory that was just created its group and its mode. Until then only this user may
// enter it.
func openUp(path string, c *Config) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open directory", Path: path, Err: err}
	}
	d := &opendir.Dir{FD: fd, Path: path}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "stat directory", Path: path, Err: err}
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s was replaced meanwhile by a directory of %s", sockerr.ErrUnsafeDir, path, d.DescribeOwner("", st))
	}
	mode := uint32(cmp.Or(c.DirMode, DefaultDirMode))
	if c.Owner != nil && c.Owner.GID >= 0 && mode&0o070 != 0 {
		if err := unix.Fchown(fd, -1, c.Owner.GID); err != nil {
			return fmt.Errorf("give %s to gid %d: %w", path, c.Owner.GID, err)
		}
	}
	// In such a directory new files get the group of the directory.
	if err := unix.Fchmod(fd, mode|uint32(st.Mode)&unix.S_ISGID); err != nil {
		return &os.PathError{Op: "chmod", Path: path, Err: err}
	}
	return nil
}
