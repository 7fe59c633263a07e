//go:build unix

package listener

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// takeLock takes the lock of name. Only its holder may remove and bind the name.
//
// The file stays when the lock is given up. If it were removed, a process that had just opened it and one
// that makes a new one would each hold "the" lock.
func takeLock(d *opendir.Dir, name string) (*os.File, error) {
	lockName := LockName(name)
	for {
		f, err := openLock(d, lockName)
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
			return nil, &os.PathError{Op: "flock", Path: d.Path + lockName, Err: err}
		}
		if d.IsStill(lockName, f) {
			writePID(f)
			return f, nil
		}
		// Another program removed the file between our open and our lock.
		f.Close()
	}
}

func openLock(d *opendir.Dir, lockName string) (*os.File, error) {
	const flags = unix.O_RDWR | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	for {
		// An existing file is opened without O_CREAT, which fs.protected_regular denies even
		// to root when a file in a sticky directory is another user's.
		fd, err := unix.Openat(d.FD, lockName, flags, 0)
		if errors.Is(err, unix.ENOENT) {
			fd, err = unix.Openat(d.FD, lockName, flags|unix.O_CREAT|unix.O_EXCL, 0o600)
		}
		switch {
		case errors.Is(err, unix.EEXIST), errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EACCES):
			return nil, fmt.Errorf("%w: the lock file must be the caller's, and the directory writable to it: %s",
				&os.PathError{Op: "open", Path: d.Path + lockName, Err: err}, d.Describe(lockName))
		case err != nil:
			return nil, &os.PathError{Op: "open", Path: d.Path + lockName, Err: err}
		}
		f := os.NewFile(uintptr(fd), d.Path+lockName)
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			f.Close()
			return nil, fmt.Errorf("lock file %s is not a regular file: remove it, or choose another path: %w",
				d.Path+lockName, errors.Join(err, fs.ErrInvalid))
		}
		return f, nil
	}
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
		return fmt.Errorf("%w: another process %s: stop it, or choose another path", sockerr.ErrInUse, how)
	case os.Getpid():
		return fmt.Errorf("%w: this process %s already: close its listener first", sockerr.ErrInUse, how)
	default:
		return fmt.Errorf("%w: process %d %s: stop it, or choose another path", sockerr.ErrInUse, pid, how)
	}
}
