//go:build unix && !linux

package listener

import (
	"os"

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
