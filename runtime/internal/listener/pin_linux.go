package listener

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// pin keeps a socket file itself open, not its name. As long as it is open no other file can get the same
// inode number, so equal numbers mean the same file. Filesystems do reuse numbers: on ext4 a new file
// often gets the number of one that was just removed.
type pin struct {
	dir  *opendir.Dir
	name string
	fd   int
	stat unix.Stat_t
}

func pinFile(d *opendir.Dir, name string) (*pin, error) {
	fd, err := unix.Openat(d.FD, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.Path + name, Err: err}
	}
	p := &pin{dir: d, name: name, fd: fd}
	if err := unix.Fstat(fd, &p.stat); err != nil {
		p.close()
		return nil, &os.PathError{Op: "stat", Path: d.Path + name, Err: err}
	}
	if p.stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		p.close()
		return nil, fmt.Errorf("%w: %s was replaced by %s", sockerr.ErrUnsafeDir, d.Path+name, opendir.FileType(p.stat.Mode))
	}
	return p, nil
}

func (p *pin) close() { unix.Close(p.fd) }

func (p *pin) chown(uid, gid int) error {
	return os.NewSyscallError("fchownat", unix.Fchownat(p.fd, "", uid, gid, unix.AT_EMPTY_PATH))
}

// chmod sets the bits that the umask cleared at bind; without a umask there is nothing to do.
func (p *pin) chmod(mode uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(p.fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&0o7777 == mode {
		return nil
	}
	// fchmod(2) refuses an O_PATH descriptor. fchmodat2(2) accepts it, since Linux 6.6.
	err := unix.Fchmodat(p.fd, "", mode, unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPERM) { // EPERM may be a filter of system calls
		err = p.chmodThroughProc(mode)
	}
	if errors.Is(err, unix.ENOENT) {
		err = p.chmodByName(mode)
	}
	return os.NewSyscallError("chmod", err)
}

// chmodThroughProc uses a link in /proc, which leads to exactly this file.
func (p *pin) chmodThroughProc(mode uint32) error {
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", p.fd), mode)
}

// chmodByName is for systems without /proc, as in a chroot. In a safe directory nobody else can replace
// the file between the check and the change.
func (p *pin) chmodByName(mode uint32) error {
	if err := p.dir.Check(); err != nil {
		return fmt.Errorf("without /proc, and fchmodat2 of Linux 6.6, it takes a safe directory: %w", err)
	}
	now, err := p.dir.Lstat(p.name)
	if err != nil {
		return err
	}
	if !opendir.SameFile(now, p.stat) {
		return fmt.Errorf("%s was replaced meanwhile: %w", p.dir.Path+p.name, fs.ErrNotExist)
	}
	return unix.Fchmodat(p.dir.FD, p.name, mode, 0)
}
