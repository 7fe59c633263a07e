package listener

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/windows"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// claim is the ownership of a path: its lock and, once bound, the socket file.
type claim struct {
	path string
	lock *os.File

	mu    sync.Mutex
	bound fs.FileInfo // the file that was bound; nil before that and after withdraw
}

func listenPath(addr string, c *Config) (_ *Listener, err error) {
	if c.Owner != nil {
		return nil, fmt.Errorf("the owner of a socket: %w", sockerr.ErrUnsupported)
	}
	path := addr
	if len(path) > opendir.MaxPath {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d: choose a shorter one", sockerr.ErrPathTooLong, len(path), opendir.MaxPath)
	}
	if c.CreateDir {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("create directory: %w", err)
		}
	}
	own := &claim{path: path}
	defer func() {
		if err != nil {
			own.release()
		}
	}()
	if own.lock, err = takeLock(addr); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if own.bound, err = os.Lstat(path); err != nil {
		l.Close()
		return nil, fmt.Errorf("find the socket just bound: %w", err)
	}
	return newListener(addr, l, own), nil
}

// takeLock locks the file beside the path. Windows drops the lock with the process.
func takeLock(addr string) (*os.File, error) {
	dir, name := filepath.Split(addr)
	f, err := os.OpenFile(dir+LockName(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: another listener holds its lock: stop it, or choose another path: %w", sockerr.ErrInUse, err)
	}
	return f, nil
}

// removeStale makes the path free if a dead process left a socket there, and refuses if
// anything else is there. The caller holds the lock.
func removeStale(path string) error {
	// Stat would try to follow the reparse point that a socket is here.
	found, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if found.Mode()&(fs.ModeSocket|fs.ModeIrregular) == 0 {
		return fmt.Errorf("%w: the path is something else (%v): move it away, or choose another path", sockerr.ErrNotSocket, found.Mode().Type())
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("%w: another process listens on it: stop it, or choose another path", sockerr.ErrInUse)
	}
	if !errors.Is(err, windows.WSAECONNREFUSED) {
		return fmt.Errorf("%w: a socket is there that this process cannot tell to be dead: remove it if you know that it is, or choose another path: %w", sockerr.ErrInUse, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket that a dead process left: %w", err)
	}
	return nil
}

// withdraw removes the socket file if it is still the one that was bound. If it cannot be removed, the
// next withdraw tries again.
func (c *claim) withdraw() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bound == nil {
		return nil
	}
	now, err := os.Lstat(c.path)
	if err == nil && os.SameFile(now, c.bound) {
		err = os.Remove(c.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.bound = nil
	return nil
}

// rebind does nothing: on Windows the name of a socket in use cannot be removed.
func (c *claim) rebind(*Config) (*net.UnixListener, error) { return nil, nil }

// release withdraws and unlocks the path.
func (c *claim) release() {
	c.withdraw()
	if c.lock != nil {
		c.lock.Close()
	}
}
