//go:build unix

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// acquire takes the lock of name. Only its holder may remove and bind the name.
//
// The file stays when the lock is given up. If it were removed, a process that had just opened it and one
// that makes a new one would each hold "the" lock.
func (d *dir) acquire(name string) (*os.File, error) {
	lockName := lockName(name)
	for {
		f, err := d.openLock(lockName)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			pid := readPID(f)
			f.Close()
			return nil, inUse(pid, "holds its lock")
		}
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "flock", Path: d.path + lockName, Err: err}
		}
		if d.isStill(lockName, f) {
			writePID(f)
			return f, nil
		}
		// Another program removed the file between our open and our lock.
		f.Close()
	}
}

func (d *dir) openLock(lockName string) (*os.File, error) {
	const flags = unix.O_RDWR | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	for {
		// An existing file is opened without O_CREAT, which fs.protected_regular denies even
		// to root when a file in a sticky directory is another user's.
		fd, err := unix.Openat(d.fd, lockName, flags, 0)
		if errors.Is(err, unix.ENOENT) {
			fd, err = unix.Openat(d.fd, lockName, flags|unix.O_CREAT|unix.O_EXCL, 0o600)
		}
		switch {
		case errors.Is(err, unix.EEXIST), errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EACCES):
			return nil, fmt.Errorf("%w: the lock file must be the caller's, and the directory writable to it: %s",
				&os.PathError{Op: "open", Path: d.path + lockName, Err: err}, d.describe(lockName))
		case err != nil:
			return nil, &os.PathError{Op: "open", Path: d.path + lockName, Err: err}
		}
		f := os.NewFile(uintptr(fd), d.path+lockName)
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			f.Close()
			return nil, fmt.Errorf("lock file %s is not a regular file: remove it, or choose another path: %w",
				d.path+lockName, errors.Join(err, fs.ErrInvalid))
		}
		return f, nil
	}
}

// isStill reports whether the open file f is what the name leads to.
func (d *dir) isStill(name string, f *os.File) bool {
	var opened unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &opened); err != nil {
		return false
	}
	named, err := d.lstat(name)
	return err == nil && sameFile(opened, named)
}

// describe returns what an operator needs to know about a file that could not be used.
func (d *dir) describe(name string) string {
	st, err := d.lstat(name)
	if errors.Is(err, unix.ENOENT) {
		return "it does not exist and cannot be created"
	}
	return d.describeStat(name, st, err)
}

// describeSelf is describe for the directory. It uses the descriptor, because a process that may not enter
// a directory cannot stat "." either.
func (d *dir) describeSelf() string {
	var st unix.Stat_t
	err := unix.Fstat(d.fd, &st)
	return d.describeStat("", st, err)
}

func (d *dir) describeStat(name string, st unix.Stat_t, err error) string {
	if err != nil {
		return fmt.Sprintf("it cannot be looked at by uid %d: %v", os.Geteuid(), err)
	}
	return fmt.Sprintf("it is %s of %s with mode %#o, and this process has uid %d",
		fileType(uint32(st.Mode)), d.describeOwner(name, st), uint32(st.Mode)&0o7777, os.Geteuid())
}

// writePID writes the holder's process id into the lock file, for the error that others get. It is only a
// hint, so a full disk does not matter.
func writePID(f *os.File) {
	if f.Truncate(0) == nil {
		f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
}

// readPID returns the process id in a lock file, or 0.
func readPID(f *os.File) int {
	buf := make([]byte, len("18446744073709551615\n"))
	n, _ := f.ReadAt(buf, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// inUse returns the error for a path that the process pid, 0 if not known, owns.
func inUse(pid int, how string) error {
	switch pid {
	case 0:
		return fmt.Errorf("%w: another process %s: stop it, or choose another path", ErrInUse, how)
	case os.Getpid():
		return fmt.Errorf("%w: this process %s already: close its listener first", ErrInUse, how)
	default:
		return fmt.Errorf("%w: process %d %s: stop it, or choose another path", ErrInUse, pid, how)
	}
}
