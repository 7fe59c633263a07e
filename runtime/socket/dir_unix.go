//go:build unix

package socket

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// maxPath is the room for a path in the kernel's socket address, less the NUL at its end.
const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// dir is an open directory. Operations through it stay in that directory, even if its path leads elsewhere
// in the meantime.
type dir struct {
	fd   int
	path string // ends with a slash
}

func openDir(path string) (*dir, error) {
	fd, err := unix.Open(path, openDirFlags|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open directory", Path: path, Err: err}
	}
	return &dir{fd: fd, path: path}, nil
}

func (d *dir) close() { unix.Close(d.fd) }

// check refuses a directory in which other users can replace the socket.
func (d *dir) check() error {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return &os.PathError{Op: "stat directory", Path: d.path, Err: err}
	}
	if !d.isOwnerKnown("", st) || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to %s, who can replace the socket: use a directory of %s",
			ErrUnsafeDir, d.path, d.describeOwner("", st), trustedOwners())
	}
	mode := uint32(st.Mode)
	if mode&0o022 != 0 && mode&unix.S_ISVTX == 0 {
		return fmt.Errorf("%w: %s has mode %#o, so other users can replace the socket: take the write permission of group and others away, or use a directory of your own",
			ErrUnsafeDir, d.path, mode&0o7777)
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

func (d *dir) lstat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return st, &os.PathError{Op: "lstat", Path: d.path + name, Err: err}
	}
	return st, nil
}

func (d *dir) unlink(name string) error {
	if err := unix.Unlinkat(d.fd, name, 0); err != nil {
		return &os.PathError{Op: "unlink", Path: d.path + name, Err: err}
	}
	return nil
}

func sameFile(a, b unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// fileType returns what a path holds, for error messages.
func fileType(mode uint32) string {
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
