//go:build unix && !linux

package socket

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// pin remembers a socket file. These systems cannot keep it open, so a successor's file with the same
// inode number would be mistaken for it.
type pin struct {
	dir  *opendir.Dir
	name string
	stat unix.Stat_t
}

func pinFile(d *opendir.Dir, name string) (*pin, error) {
	st, err := d.Lstat(name)
	return &pin{dir: d, name: name, stat: st}, err
}

func (p *pin) close() {}

func (p *pin) chown(uid, gid int) error {
	return os.NewSyscallError("fchownat", unix.Fchownat(p.dir.FD, p.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW))
}

func (p *pin) chmod(mode uint32) error {
	return os.NewSyscallError("fchmodat", unix.Fchmodat(p.dir.FD, p.name, mode, unix.AT_SYMLINK_NOFOLLOW))
}

// restrict does nothing: here the mode can only be set between bind and listen.
func restrict(int, uint32) error { return nil }

func newSocket() (int, error) {
	// Without SOCK_CLOEXEC a fork at the wrong moment would leak the descriptor.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("setnonblock", err)
	}
	return fd, nil
}
