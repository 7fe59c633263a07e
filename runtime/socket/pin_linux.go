package socket

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pin holds on to a socket file itself, not to its name. As long as it is open no other
// file can get the same inode number, so equal numbers mean the same file. Filesystems do
// reuse numbers: on ext4 a file made right after another was removed often gets its.
type pin struct {
	fd   int
	stat unix.Stat_t
}

func (d *dir) pin(name string) (*pin, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.path + name, Err: err}
	}
	p := &pin{fd: fd}
	if err := unix.Fstat(fd, &p.stat); err != nil {
		p.close()
		return nil, &os.PathError{Op: "stat", Path: d.path + name, Err: err}
	}
	if p.stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		p.close()
		return nil, fmt.Errorf("%w: %s was replaced by %s", ErrUnsafeDir, d.path+name, fileType(p.stat.Mode))
	}
	return p, nil
}

func (p *pin) close() { unix.Close(p.fd) }

func (p *pin) chown(uid, gid int) error {
	return os.NewSyscallError("fchownat", unix.Fchownat(p.fd, "", uid, gid, unix.AT_EMPTY_PATH))
}

// chmod undoes what the umask took away at bind; there is nothing to do without one.
func (p *pin) chmod(mode uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(p.fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&0o7777 == mode {
		return nil
	}
	// fchmod(2) refuses an O_PATH descriptor; the link in /proc leads to the same file.
	return os.NewSyscallError("chmod", unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", p.fd), mode))
}

// restrict sets the mode that the file gets at bind, so that not even for a moment it has a
// wider one.
func restrict(fd int, mode uint32) error { return os.NewSyscallError("fchmod", unix.Fchmod(fd, mode)) }

func newSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	return fd, os.NewSyscallError("socket", err)
}
