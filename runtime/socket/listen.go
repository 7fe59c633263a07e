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

// DefaultMode is the mode of a socket file unless asked otherwise: only its owner, and
// root, can connect.
const DefaultMode fs.FileMode = 0o600

// DefaultDirMode is the mode of directories that [ListenConfig] creates unless asked otherwise: only
// their owner, and root, can enter.
const DefaultDirMode fs.FileMode = 0o700

// OfferTimeout is how long a process that takes a listener over may take from TakeOver to Commit.
// Then the offer lapses: Commit fails, and the owner serves on.
const OfferTimeout = 30 * time.Second

// ListenConfig says how to listen. The zero value is the safe default; it is not changed by
// its methods, so several goroutines may share one.
type ListenConfig struct {
	// Mode is the mode of the socket file, permission bits only; 0 means [DefaultMode].
	// Whoever may write to the file may connect. The umask has no part in it. Ignored for
	// abstract names, to which everyone may connect, and on Windows, where the directory's
	// access control list decides.
	Mode fs.FileMode

	// Owner is the owner of the socket file; nil leaves it to the process's. Giving a file
	// away takes root, giving it to a group membership of that group. Asking for it where
	// there is no such thing (abstract names, Windows) is [ErrUnsupported].
	Owner *Owner

	// AllowUnsafeDir accepts a directory in which users other than root and the caller can
	// replace the socket, as they can in one that is theirs or that they may write to (with
	// a sticky bit they cannot). Not checked on Windows.
	AllowUnsafeDir bool

	// CreateDir creates the directory of the path, and those above it, where they are missing.
	// They are not removed again.
	CreateDir bool

	// DirMode is the mode of the directories that CreateDir creates, permission bits only; 0
	// means [DefaultDirMode]. The umask has no part in it. If it has any for the group, and Owner
	// names a group, they are given to that. Ignored on Windows.
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
// A socket file that a dead process left behind is replaced. Nothing else ever is: if a
// process listens on the path, or holds the lock beside it, the error wraps [ErrInUse] and
// tells its process id where that is known; if the path is a file, directory, symbolic link
// or anything else, [ErrNotSocket]. [ErrUnsafeDir] says that other users could replace the
// socket in this directory. On Linux a path that is too long for the kernel is bound through
// a shorter one, as long as the file name alone has at most some 80 bytes; elsewhere, and
// beyond that, [ErrPathTooLong]. Programs that do not do the same cannot dial such a path.
//
// Abstract names are for Linux, elsewhere [ErrUnsupported]; having no file they need
// no lock and know no mode, so everyone on the machine (in the network namespace) may
// connect.
//
// On Windows the lock and the checks are the same, made on names instead of an open
// directory, so they hold against mistakes but not against a hostile user who may write to
// the directory.
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
	owner  atomic.Pointer[net.UnixConn] // to who still has the path, between TakeOver and Commit; else nil
	offers offers

	closeOnce sync.Once
	closeErr  error
}

func newListener(addr Address, l *net.UnixListener, c *claim) *Listener {
	// net would remove whatever is at the path by then; the claim removes only its own.
	l.SetUnlinkOnClose(false)
	return &Listener{UnixListener: l, addr: addr, claim: c, offers: newOffers()}
}

// Address returns where the listener listens.
func (l *Listener) Address() Address { return l.addr }

// Withdraw removes the socket file, if it still is the one this listener bound, so that no
// new client finds it. The listener goes on accepting those who are connected already and
// keeps its lock, so that no other process takes the path before Close. An abstract name
// stays until Close. Calling it again does nothing.
//
// The file of an [Activated] listener stays. So this listener stops accepting: Accept fails
// with [os.ErrDeadlineExceeded], and whoever has connected, or still does, waits for the
// listener's successor.
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

// Rebind looks after the socket file: if it was removed, or replaced by something that is not
// in use, it makes the socket anew and returns a Listener on it, which has the path and the
// lock from then on. The caller serves that one as well, and closes the UnixListener of this one,
// and not this one, when nobody is Pending on it. If the file is still the one that was bound,
// or there is none, as for an abstract name and a service manager's socket, Rebind returns nil. A
// lock file that was removed is made anew, too. If the path leads to another directory by now, as after the
// old one was removed and made anew, it is claimed there, as [Listen] does, with the same errors.
//
// The error wraps [ErrInUse] if another process has the path now, [ErrNotSocket] if something
// else is there: both are left alone. A directory that was removed or renamed, with none in its place, is
// [fs.ErrNotExist].
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

// Close stops listening, withdraws the socket file and gives the path free. Connections
// that were accepted are untouched; those that were not are reset, but for those of an
// [Activated] listener, which go on waiting. Closing again does nothing and returns the same
// error.
func (l *Listener) Close() error {
	l.closeOnce.Do(func() {
		withdrawErr := l.Withdraw()
		if owner := l.owner.Load(); owner != nil {
			owner.Close()
		}
		closeErr := l.UnixListener.Close()
		if errors.Is(closeErr, net.ErrClosed) {
			// Whoever accepts may close the listener to stop accepting.
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
