//go:build unix

package listener

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/peercred"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// claim is the ownership of a path: its directory, its lock, and, once bound, the socket
// file. It holds their descriptors until it is released.
type claim struct {
	dir  *opendir.Dir
	name string
	lock *os.File

	mu     sync.Mutex
	pin    *pin // the file that was bound; nil before that and after withdraw
	theirs bool // another process has the path: it has it still, or has taken it over

	listener *net.UnixListener // the one on the pinned file
	released sync.Once
}

func listenPath(addr string, c *Config) (*Listener, error) {
	path, name := filepath.Split(addr)
	if c.CreateDir {
		if err := createDir(path, c); err != nil {
			return nil, fmt.Errorf("create directory: %w", err)
		}
	}
	own, err := claimPath(path, name, c)
	if err != nil {
		return nil, err
	}
	l := newListener(addr, own.listener, own)
	l.conf = *c
	return l, nil
}

// claimPath claims name in the directory that path leads to, and listens on it.
func claimPath(path, name string, c *Config) (*claim, error) {
	for {
		own, err := claimName(path, name, c)
		if !errors.Is(err, errDirReplaced) {
			return own, err
		}
	}
}

// claimName makes one try.
func claimName(path, name string, c *Config) (_ *claim, err error) {
	d, err := opendir.Open(path)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("%w: make it, or have the server make it with runtime.CreateDir()", err)
	}
	if err != nil {
		return nil, err
	}
	own := &claim{dir: d, name: name}
	defer func() {
		if err != nil {
			own.release()
		}
	}()
	if !c.AllowUnsafeDir {
		if err := d.Check(); err != nil {
			return nil, err
		}
	}
	sockPath, err := d.SockPath(name)
	if err != nil {
		return nil, err
	}
	if _, err := lookAt(d, name); errors.Is(err, sockerr.ErrNotSocket) {
		return nil, err // without a lock file beside it, since such a path is most likely a mistake
	}
	if own.lock, err = takeLock(d, name); err != nil {
		return nil, err
	}
	if err := removeStale(d, name, sockPath); err != nil {
		return nil, err
	}
	if _, err := own.bind(sockPath, c); err != nil {
		return nil, err
	}
	return own, nil
}

// removeStale makes name free if a dead process left a socket there, and refuses if
// anything else is there. The caller holds the lock.
func removeStale(d *opendir.Dir, name, sockPath string) error {
	found, err := lookAt(d, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, err := probe(sockPath)
	switch {
	case err == nil:
		return inUse(pid, "listens on it")
	case errors.Is(err, unix.ECONNREFUSED):
	case errors.Is(err, unix.ENOENT):
		return nil
	default:
		// A full queue, another kind of socket or a lack of permission does not prove that the server is
		// dead.
		return fmt.Errorf("%w: a socket is there that this process cannot tell to be dead: remove it if you know that it is, or choose another path: %w", sockerr.ErrInUse, err)
	}
	// Servers that do not take the lock may have bound the path in the meantime.
	now, err := d.Lstat(name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if !opendir.SameFile(found, now) {
		return inUse(0, "has just bound it")
	}
	if err := d.Unlink(name); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove the socket that a dead process left: %w", err)
	}
	return nil
}

// lookAt returns what is at name: a socket, or else an error.
func lookAt(d *opendir.Dir, name string) (unix.Stat_t, error) {
	st, err := d.Lstat(name)
	if err == nil && uint32(st.Mode)&unix.S_IFMT != unix.S_IFSOCK {
		err = fmt.Errorf("%w: the path is %s: move it away, or choose another path", sockerr.ErrNotSocket, opendir.FileType(uint32(st.Mode)))
	}
	return st, err
}

// probe connects to a socket and hangs up. It returns the process id of the listener, 0 if
// not known, or the errno of connect(2). It never waits: the kernel answers at once.
func probe(path string) (pid int, err error) {
	fd, err := newSocket()
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return 0, os.NewSyscallError("connect", err)
	}
	peer, err := peercred.OfSocket(fd)
	if err != nil {
		return 0, nil // a process listens, but its id is unknown
	}
	return peer.PID, nil
}

// errDirReplaced means that the path led to another directory when the socket was bound. It is there now, dead and
// without a lock; whoever claims that directory removes it.
var errDirReplaced = errors.New("the directory was replaced meanwhile by another")

// bind makes the socket file and listens. Nobody can connect before listen(2), and the owner and the mode
// are right by then.
func (c *claim) bind(sockPath string, conf *Config) (_ *net.UnixListener, err error) {
	f, err := bindSocket(sockPath, uint32(conf.mode()))
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return nil, inUse(0, "has just bound it")
	case err != nil:
		return nil, err
	}
	defer f.Close()
	if c.pin, err = pinFile(c.dir, c.name); err != nil {
		if moved, _ := c.dir.IsReplaced(); moved {
			return nil, errDirReplaced
		}
		// Most likely there was no descriptor left. A socket of this user must be the one that was just
		// bound.
		st, statErr := c.dir.Lstat(c.name)
		if statErr == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK && c.dir.IsOwn(c.name, st) {
			c.dir.Unlink(c.name)
		}
		return nil, fmt.Errorf("find the socket just bound: %w", err)
	}
	if err := c.pin.apply(conf); err != nil {
		return nil, err
	}
	c.listener, err = listenOn(f)
	return c.listener, err
}

// bindSocket makes a socket file with this mode. Nobody can connect before listen(2).
func bindSocket(sockPath string, mode uint32) (*os.File, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), sockPath)
	if err := restrict(fd, mode); err != nil {
		f.Close()
		return nil, fmt.Errorf("set mode %#o: %w", mode, err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: sockPath}); err != nil {
		f.Close()
		return nil, os.NewSyscallError("bind", err)
	}
	return f, nil
}

// listenOn listens on a socket that is bound. It leaves f open, because the listener duplicates the
// descriptor.
func listenOn(f *os.File) (*net.UnixListener, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var listenErr error
	err = raw.Control(func(fd uintptr) {
		listenErr = os.NewSyscallError("listen", unix.Listen(int(fd), backlog))
	})
	if err := errors.Join(err, listenErr); err != nil {
		return nil, err
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// apply gives the socket file the owner and the mode that it should have.
func (p *pin) apply(conf *Config) error {
	if o := conf.Owner; o != nil {
		if err := p.chown(o.UID, o.GID); err != nil {
			return fmt.Errorf("give the socket to uid %d, gid %d: %w", o.UID, o.GID, err)
		}
	}
	if err := p.chmod(uint32(conf.mode())); err != nil {
		return fmt.Errorf("set mode %#o: %w", conf.mode(), err)
	}
	return nil
}

// backlog is how many connections may wait to be accepted. A client that connects and closes in a loop
// keeps the queue full, and a new client waits behind all of it: on two busy cores 50 ms (at worst 300)
// behind 4,096 and 9 ms (140) behind 512. A thousand clients that connect at once still find room in 512,
// because the server accepts in the meantime; in 256 a quarter of them does not. Linux limits it to
// net.core.somaxconn, the BSDs to kern.ipc.soacceptqueue.
const backlog = 512

// withdraw removes the socket file if it is still the one that was bound. If it cannot be removed, the
// next withdraw tries again.
func (c *claim) withdraw() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pin == nil {
		return nil
	}
	if !c.theirs {
		err := unlinkPinned(c.dir, c.name, c.pin)
		// Without a lock, the process that bound the socket removes the file.
		if err != nil && !(c.lock == nil && errors.Is(err, fs.ErrPermission)) {
			return err
		}
	}
	c.forget()
	return nil
}

// forget closes the pin of the socket file. The caller holds mu.
func (c *claim) forget() {
	if c.pin != nil {
		c.pin.close()
		c.pin = nil
	}
}

// unlinkPinned removes the file of that name if it still is the pinned one.
func unlinkPinned(d *opendir.Dir, name string, p *pin) error {
	now, err := d.Lstat(name)
	if err == nil && opendir.SameFile(now, p.stat) {
		err = d.Unlink(name)
	}
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// release withdraws and unlocks the path, once: listeners that have replaced each other share the claim.
func (c *claim) release() {
	c.released.Do(func() {
		c.withdraw()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.forget()
		c.leaveDir()
	})
}

// leaveDir gives up the lock, unless another process owns it, and closes the directory. The caller holds
// mu.
func (c *claim) leaveDir() {
	if c.lock != nil {
		if !c.theirs {
			// The lock is held while any copy of its descriptor is open. A successor that gave up, or a
			// child between fork and exec, may have one a little longer.
			unix.Flock(int(c.lock.Fd()), unix.LOCK_UN)
		}
		c.lock.Close()
	}
	c.dir.Close()
}
