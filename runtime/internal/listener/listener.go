package listener

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// The defaults of package socket.
const (
	DefaultMode    fs.FileMode = 0o600
	DefaultDirMode fs.FileMode = 0o700
)

// Config says how to listen. Its fields are those of socket.ListenConfig, which documents them. Its methods
// do not change it.
type Config struct {
	Mode           fs.FileMode
	Owner          *Owner
	AllowUnsafeDir bool
	CreateDir      bool
	DirMode        fs.FileMode
}

// Owner is the owner of a socket file; -1 leaves that half as it is.
type Owner struct{ UID, GID int }

// Listen is socket.ListenConfig.Listen, which documents it.
func (c *Config) Listen(ctx context.Context, addr string) (*Listener, error) {
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
	if isAbstract(addr) {
		listen = listenAbstract
	}
	l, err := listen(addr, c)
	if err != nil {
		return nil, listenError(addr, err)
	}
	return l, nil
}

func (c *Config) mode() fs.FileMode {
	if c.Mode == 0 {
		return DefaultMode
	}
	return c.Mode
}

func listenError(addr string, err error) error {
	return fmt.Errorf("listen on %s: %w", addr, err)
}

// isAbstract reports whether an address is in the abstract namespace.
func isAbstract(addr string) bool { return strings.HasPrefix(addr, "@") }

// LockName returns the name of the lock file of a socket, which is in the same directory.
func LockName(name string) string { return "." + name + ".lock" }

// Listener is a [net.Listener] that owns its socket file. Its methods may be called
// concurrently.
type Listener struct {
	*net.UnixListener
	addr   string
	claim  *claim  // nil for an abstract name, and for a socket that is not ours
	passed *passed // nil unless the socket is the service manager's

	conf Config // what was asked for

	// Of a handover; see HandOver and TakeOver.
	owner      atomic.Pointer[net.UnixConn] // to the process that still has the path, between TakeOver and Commit; else nil
	committing sync.Mutex                   // held by Commit
	offers     offers

	closeOnce sync.Once
	closeErr  error
}

func newListener(addr string, l *net.UnixListener, c *claim) *Listener {
	// net would remove whatever is at the path by then. The claim removes only its own file.
	l.SetUnlinkOnClose(false)
	return &Listener{UnixListener: l, addr: addr, claim: c, offers: newOffers()}
}

// Withdraw removes the socket file, if it still is the one this listener bound, so that no new client
// finds it. The listener continues to accept clients that have connected already, and keeps its lock, so
// that no other process takes the path before Close. An abstract name stays until Close. Calling it again
// does nothing.
//
// The file of an [Activated] listener stays. So this listener stops accepting: Accept fails with
// [os.ErrDeadlineExceeded], and clients, those that have connected and new ones, wait for the listener's
// successor.
func (l *Listener) Withdraw() error {
	l.giveUpTakeover()
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

// giveUpTakeover leaves the listener to the owner, unless that has let go of it already: then a Commit under way has
// completed when giveUpTakeover returns, and the file is this listener's to remove.
func (l *Listener) giveUpTakeover() {
	if owner := l.owner.Load(); owner != nil {
		owner.CloseRead() // a go that was sent can still be read, and sending one fails from now on
		l.committing.Lock()
		defer l.committing.Unlock()
		owner.Close()
	}
}

// Rebind checks the socket file. If it was removed, or replaced by something that is not in use, Rebind
// makes it again and returns a Listener on it, which has the path and the lock from then on. The caller
// serves that one as well. When no client is queued on this one, the caller closes its UnixListener, but
// not this Listener. If the file is still the one that was bound, or there is none, as for an abstract
// name and a service manager's socket, Rebind returns nil. It also makes a lock file that was removed
// again. If the path leads to another directory by now, for example because the old one was removed and
// made again, Rebind claims it there, as Listen does, with the same errors.
//
// The error wraps [sockerr.ErrInUse] if another process has the path now, and [sockerr.ErrNotSocket] if something
// else is there; neither is changed. If the directory was removed or renamed, and there is none in its
// place, the error is [fs.ErrNotExist].
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
