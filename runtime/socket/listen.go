package socket

import (
	"context"
	"io/fs"
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
)

// DefaultMode is the default mode of a socket file: only its owner, and root, can connect.
const DefaultMode fs.FileMode = listener.DefaultMode // 0600

// DefaultDirMode is the default mode of directories that [ListenConfig] creates: only their owner, and
// root, can enter.
const DefaultDirMode fs.FileMode = listener.DefaultDirMode // 0700

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
	return c.listen(ctx, path, (*listener.Config).Listen)
}

// ListenStandby is Listen, but while the path is in use it waits until the owner gives it up or dies. On
// Linux it then has the path within a few milliseconds. Elsewhere, and if no inotify instance is left
// (inotify(7)), it takes up to 50 ms, and up to a second if the owner is a server that takes no lock. If
// several processes wait, one gets the path, and the others continue to wait.
//
// If ctx ends first, the error wraps both its error and [ErrInUse]. Other errors are those of
// Listen.
func (c *ListenConfig) ListenStandby(ctx context.Context, path string) (*Listener, error) {
	return c.listen(ctx, path, (*listener.Config).ListenStandby)
}

func (c *ListenConfig) listen(ctx context.Context, path string, listen func(*listener.Config, context.Context, string) (*listener.Listener, error)) (*Listener, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	config := &listener.Config{
		Mode:           c.Mode,
		Owner:          (*listener.Owner)(c.Owner),
		AllowUnsafeDir: c.AllowUnsafeDir,
		CreateDir:      c.CreateDir,
		DirMode:        c.DirMode,
	}
	l, err := listen(config, ctx, addr.String())
	if err != nil {
		return nil, err
	}
	return newListener(addr, l), nil
}

// Listener is a [net.Listener] that owns its socket file. Its methods may be called
// concurrently.
type Listener struct {
	*net.UnixListener
	addr  Address
	owner *listener.Listener // of the socket file and the lock
}

func newListener(addr Address, l *listener.Listener) *Listener {
	return &Listener{UnixListener: l.UnixListener, addr: addr, owner: l}
}

// Address returns the address of the listener.
func (l *Listener) Address() Address { return l.addr }

// Close removes the socket file, if it still is the one that this listener bound, stops listening, and
// unlocks the path. Connections that were accepted are not affected. Those that were not are reset, except
// for those of an [Activated] listener, which wait for its successor. Closing again does nothing and
// returns the same error.
func (l *Listener) Close() error { return l.owner.Close() }
