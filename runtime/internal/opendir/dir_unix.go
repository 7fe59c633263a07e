//go:build unix

package opendir

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// MaxPath is the room for a path in the kernel's socket address, less the NUL at its end.
const MaxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// Dir is an open directory. Operations through it stay in that directory, even if its path leads elsewhere
// in the meantime.
type Dir struct {
	FD   int
	Path string // as it was opened
}

// Open opens the directory at path, which ends with a slash if names in it are of interest.
func Open(path string) (*Dir, error) {
	fd, err := unix.Open(path, openFlags|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open directory", Path: path, Err: err}
	}
	return &Dir{FD: fd, Path: path}, nil
}

// Close closes the directory. What is held open in it stays open.
func (d *Dir) Close() { unix.Close(d.FD) }

// Check refuses a directory in which other users can replace the socket.
func (d *Dir) Check() error {
	var st unix.Stat_t
	if err := unix.Fstat(d.FD, &st); err != nil {
		return &os.PathError{Op: "stat directory", Path: d.Path, Err: err}
	}
	if !d.isOwnerKnown("", st) || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to %s, who can replace the socket: use a directory of %s",
			sockerr.ErrUnsafeDir, d.Path, d.DescribeOwner("", st), trustedOwners())
	}
	mode := uint32(st.Mode)
	if mode&0o022 != 0 && mode&unix.S_ISVTX == 0 {
		return fmt.Errorf("%w: %s has mode %#o, so other users can replace the socket: take the write permission of group and others away, or use a directory of your own",
			sockerr.ErrUnsafeDir, d.Path, mode&0o7777)
	}
	return nil
}

// trustedOwners returns whose directories are safe, for error messages.
func trustedOwners() string {
	if uid := os.Geteuid(); uid != 0 && userns.UIDs().Maps(uid) {
		return fmt.Sprintf("root or of uid %d", uid)
	}
	return "root"
}

// Lstat is lstat(2) of a name in the directory.
func (d *Dir) Lstat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(d.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return st, &os.PathError{Op: "lstat", Path: d.Path + name, Err: err}
	}
	return st, nil
}

// Unlink removes a name from the directory.
func (d *Dir) Unlink(name string) error {
	if err := unix.Unlinkat(d.FD, name, 0); err != nil {
		return &os.PathError{Op: "unlink", Path: d.Path + name, Err: err}
	}
	return nil
}

// IsStill reports whether the open file f is what the name leads to.
func (d *Dir) IsStill(name string, f *os.File) bool {
	var opened unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &opened); err != nil {
		return false
	}
	named, err := d.Lstat(name)
	return err == nil && SameFile(opened, named)
}

// IsReplaced reports whether the path leads to another directory by now.
func (d *Dir) IsReplaced() (bool, error) {
	var opened, named unix.Stat_t
	if err := unix.Fstat(d.FD, &opened); err != nil {
		return false, &os.PathError{Op: "stat directory", Path: d.Path, Err: err}
	}
	if err := unix.Stat(d.Path, &named); err != nil {
		return false, &os.PathError{Op: "stat directory", Path: d.Path, Err: err}
	}
	return !SameFile(opened, named), nil
}

// SameFile reports whether two results of stat(2) are of one file.
func SameFile(a, b unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// FileType returns what a path holds, for error messages.
func FileType(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "a regular file"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFLNK:
		return "a symbolic link"
	case unix.S_IFIFO:
		return "a named pipe"
	case unix.S_IFSOCK:
		return "a socket"
	default:
		return "a device"
	}
}
