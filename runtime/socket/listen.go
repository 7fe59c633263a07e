package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMode is the default mode of a socket file: only its owner, and root, can connect.
const DefaultMode fs.FileMode = 0o600

// DefaultDirMode is the default mode of directories that [ListenConfig] creates: only their owner, and
// root, can enter.
const DefaultDirMode fs.FileMode = 0o700

// OfferTimeout is how long a process that takes a listener over may take from TakeOver to Commit. Then the
// offer lapses: Commit fails, and the owner continues to serve.
const OfferTimeout = 30 * time.Second

// ListenConfig says how to listen. The zero value is the safe default. Its methods do not change it, so
// several goroutines may share one.
type ListenConfig struct {
	// Mode is the mode of the socket file, permission bits only; 0 means [DefaultMode]. Users that may
	// write to the file may connect. The umask does not apply. Ignored for abstract names, to which
	// everyone may connect, and on Windows, where the directory's access control list decides.
	Mode fs.FileMode

	// Owner is the owner of the socket file; nil means the process's own. Only root can give a file away;
	// giving it to a group needs membership of that group. Setting it where there is no owner (abstract
	// names, Windows) is [ErrUnsupported].
	Owner *Owner

	// AllowUnsafeDir accepts a directory in which users other than root and the caller can replace the
	// socket. That is one that they own or may write to (unless it is sticky). Not checked on Windows.
	AllowUnsafeDir bool

	// CreateDir creates the missing directories of the path. They are not removed again.
	CreateDir bool

	// DirMode is the mode of the directories that CreateDir creates, permission bits only; 0 means
	// [DefaultDirMode]. The umask does not apply. If it has any bits for the group, and Owner names a
	// group, the directories get that group. Ignored on Windows.
	DirMode fs.FileMode
}

// Owner is the owner of a socket file; -1 leaves that half as it is.
type Owner struct{ UID, GID int }

// Listen listens on path with the default [ListenConfig].
func Listen(path string) (*Listener, error) {
	return (&ListenConfig{}).Listen(context.Background(), path)
}

// Listen claims path (any form that [ParseAddress] reads) and listens on it. When it
// returns, clients can connect.
//
// A socket file that a dead process left behind is replaced. Nothing else ever is. If a process listens on
// the path, or holds the lock beside it, the error wraps [ErrInUse] and tells its process id if that is
// known. If the path is a file, directory, symbolic link or anything else, it wraps [ErrNotSocket]. It
// wraps [ErrUnsafeDir] if other users could replace the socket in this directory. On Linux a path that is
// too long for the kernel is bound through a shorter one, as long as the file name alone has at most about
// 80 bytes; elsewhere, and beyond that, the error is [ErrPathTooLong]. Programs that do not do the same
// cannot dial such a path.
//
// Abstract names exist on Linux; elsewhere the error is [ErrUnsupported]. They have no file, so they need
// no lock and have no mode, and everyone on the machine (in the network namespace) may connect.
//
// On Windows the lock and the checks are the same, but they use names instead of an open directory. So
// they protect against mistakes, but not against a hostile user who may write to the directory.
//
// ctx is checked before the claim starts; nothing in it blocks for long.
func (c *ListenConfig) Listen(ctx context.Context, path string) (*Listener, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, listenError(addr, err)
	}
	if c.Mode&^fs.ModePerm != 0 {
		return nil, listenError(addr, fmt.Errorf("mode %v has more than permission bits: %w", c.Mode, fs.ErrInvalid))
	}
	if c.DirMode&^fs.ModePerm != 0 {
		return nil, listenError(addr, fmt.Errorf("directory mode %v has more than permission bits: %w", c.DirMode, fs.ErrInvalid))
	}
	listen := listenPath
	if addr.IsAbstract() {
		listen = listenAbstract
	}
	l, err := listen(addr, c)
	if err != nil {
		return nil, listenError(addr, err)
	}
	return l, nil
}

func (c *ListenConfig) mode() fs.FileMode {
	if c.Mode == 0 {
		return DefaultMode
	}
	return c.Mode
}

func listenError(addr Address, err error) error {
	return fmt.Errorf("listen on %s: %w", addr, err)
}

// Listener is a [net.Listener] that owns its socket file. Its methods may be called
// concurrently.
type Listener struct {
	*net.UnixListener
	addr   Address
	claim  *claim  // nil for an abstract name, and for a socket that is not ours
	passed *passed // nil unless the socket is the service manager's

	conf ListenConfig // what was asked for

	// Of a handover; see HandOver and TakeOver.
	owner  atomic.Pointer[net.UnixConn] // to the process that still has the path, between TakeOver and Commit; else nil
	offers offers

	closeOnce sync.Once
	closeErr  error
}

func newListener(addr Address, l *net.UnixListener, c *claim) *Listener {
	// net would remove whatever is at the path by then. The claim removes only its own file.
	l.SetUnlinkOnClose(false)
	return &Listener{UnixListener: l, addr: addr, claim: c, offers: newOffers()}
}

// Address returns the address of the listener.
func (l *Listener) Address() Address { return l.addr }

// Withdraw removes the socket file, if it still is the one this listener bound, so that no new client
// finds it. The listener continues to accept clients that have connected already, and keeps its lock, so
// that no other process takes the path before Close. An abstract name stays until Close. Calling it again
// does nothing.
//
// The file of an [Activated] listener stays. So this listener stops accepting: Accept fails with
// [os.ErrDeadlineExceeded], and clients, those that have connected and new ones, wait for the listener's
// successor.
func (l *Listener) Withdraw() error {
	if l.passed != nil {
		if err := l.passed.withdraw(l.UnixListener); err != nil {
			return fmt.Errorf("stop accepting on %s: %w", l.addr, err)
		}
		return nil
	}
	if l.claim == nil {
		return nil
	}
	if err := l.claim.withdraw(); err != nil {
		return fmt.Errorf("remove socket %s, which stays and leads nowhere: the next server replaces it, if it may write to the directory: %w", l.addr, err)
	}
	return nil
}

// Rebind checks the socket file. If it was removed, or replaced by something that is not in use, Rebind
// makes it again and returns a Listener on it, which has the path and the lock from then on. The caller
// serves that one as well. When no client is Pending on this one, the caller closes its UnixListener, but
// not this Listener. If the file is still the one that was bound, or there is none, as for an abstract
// name and a service manager's socket, Rebind returns nil. It also makes a lock file that was removed
// again. If the path leads to another directory by now, for example because the old one was removed and
// made again, Rebind claims it there, as [Listen] does, with the same errors.
//
// The error wraps [ErrInUse] if another process has the path now, and [ErrNotSocket] if something else is
// there; neither is changed. If the directory was removed or renamed, and there is none in its place, the
// error is [fs.ErrNotExist].
func (l *Listener) Rebind() (*Listener, error) {
	if l.claim == nil {
		return nil, nil
	}
	ul, err := l.claim.rebind(&l.conf)
	if err != nil {
		return nil, fmt.Errorf("bind %s again: %w", l.addr, err)
	}
	if ul == nil {
		return nil, nil
	}
	again := newListener(l.addr, ul, l.claim)
	again.conf = l.conf
	return again, nil
}

// Close stops listening, withdraws the socket file and unlocks the path. Connections that were accepted
// are not affected. Those that were not are reset, except for those of an [Activated] listener, which wait
// for its successor. Closing again does nothing and returns the same error.
func (l *Listener) Close() error {
	l.closeOnce.Do(func() {
		withdrawErr := l.Withdraw()
		if owner := l.owner.Load(); owner != nil {
			owner.Close()
		}
		closeErr := l.UnixListener.Close()
		if errors.Is(closeErr, net.ErrClosed) {
			// The accepting goroutine may close the listener to stop accepting.
			closeErr = nil
		}
		if l.claim != nil {
			l.claim.release()
		}
		if l.passed != nil {
			l.passed.release()
		}
		l.closeErr = errors.Join(withdrawErr, closeErr)
	})
	return l.closeErr
}
