package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/udsgrpc/udsgrpc/runtime/internal/childproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// InheritedPath returns where this process should serve if its parent used [StartChild], and "" otherwise.
// So the same program runs as a child and by itself:
//
//	path := cmp.Or(*listenFlag, runtime.InheritedPath())
//	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{})
//
// A server made with this path gets the socket that the parent has bound; a second server is
// [socket.ErrInUse]. The child is ready for the parent when Serve begins. When the parent stops the child,
// or dies in whatever way, Serve drains and returns nil as if its context had ended; the program should
// then end.
//
// Besides the peers that its rules let in, such a server lets in the parent's user where no other rule is
// set or declared; see [Authorize]. Options about the socket file and its directory have no effect: both
// belong to the parent.
//
// The socket belongs to this process alone. The first call of InheritedPath, or of [NewServer], removes
// the variables of the parent from the environment and marks the descriptors close-on-exec, so make that
// call before starting any process. A program whose effective user is not the real one (set-user-ID)
// inherits nothing.
func InheritedPath() string { return inherited().Path }

// inherited takes over what the parent passed, at the first call. A process has one parent, so there is
// one result for all servers of the process.
var inherited = sync.OnceValue(func() *inheritance { return &inheritance{Inheritance: childproc.Inherit()} })

// inheritance is what StartChild has passed to this process, and the listener that was made of it.
type inheritance struct {
	childproc.Inheritance

	mu       sync.Mutex         // guards listener
	listener *listener.Listener // nil until the first request
}

// resolve is socket.ParseAddress with a better error for a program that got no path.
func resolve(path string) (socket.Address, error) {
	addr, err := socket.ParseAddress(path)
	if path == "" {
		return addr, fmt.Errorf("%w; no parent has passed this process a listener either, as runtime.StartChild does", err)
	}
	return addr, err
}

// isFor reports whether the parent has passed a listener for addr, or was to.
func (i *inheritance) isFor(addr socket.Address) bool { return i.Path != "" && addr.String() == i.Path }

// sameUser returns the rule of a server on addr where no other is set or declared. The process that bound
// the socket may call the server on it, even as another user.
func (i *inheritance) sameUser(addr socket.Address) Policy {
	if i.isFor(addr) && i.Err == nil {
		if parent, err := socket.PeerOf(i.Lifeline); err == nil && parent.HasUID && parent.UID != os.Geteuid() {
			return Any(SameUser(), AllowUID(parent.UID))
		}
	}
	return SameUser()
}

// listen returns the listener that the parent passed for addr, and nil if it passed none.
func (i *inheritance) listen(addr socket.Address) (*listener.Listener, error) {
	if !i.isFor(addr) {
		return nil, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.Err != nil {
		return nil, fmt.Errorf("listen on %s: %w: start this process with runtime.StartChild and nothing in between that closes descriptors, or give it a path", addr, i.Err)
	}
	if i.listener != nil {
		return nil, fmt.Errorf("listen on %s: %w: a server of this process has got the inherited listener already: register several services on one server", addr, socket.ErrInUse)
	}
	l, err := listener.ListenInherited(i.Bound, i.Path)
	if err != nil {
		return nil, err
	}
	i.Bound.Close()
	i.listener = l
	return l, nil
}

// underParent is called when a server begins to serve on l. If l is inherited it reports that to the
// parent, and returns a context that ends when the parent closes its end of the lifeline, on purpose or by
// dying. The server calls leave when it has served.
func underParent(ctx context.Context, l *listener.Listener) (_ context.Context, leave func()) {
	i := inherited()
	i.mu.Lock()
	defer i.mu.Unlock()
	if l != i.listener || l == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	lifeline := i.Lifeline
	parentGone := make(chan bool, 1) // false if Serve ended before the parent let go
	go func() {
		defer cancel()
		// The read also fails when the parent has gone.
		lifeline.Write([]byte(childproc.ReadyLine))
		_, err := lifeline.Read(make([]byte, 1))
		parentGone <- !errors.Is(err, net.ErrClosed)
	}()
	return ctx, func() {
		lifeline.Close()
		if <-parentGone {
			// A parent that was killed does not clean up. The socket is withdrawn already, and a directory
			// that holds anything else stays.
			os.Remove(filepath.Dir(i.Path))
		}
	}
}
