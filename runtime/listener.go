package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// origin is how a server came by its listener.
type origin int

const (
	originClaimed   origin = iota // the path was free, or a standby has waited for it
	originTakenOver               // from the process that served before
	originActivated               // the service manager's, whose unit describes the file
	originInherited               // the parent's, which has made the file and its directory
)

// makesFile reports whether this package makes the socket file, so that the options about it apply.
func (o origin) makesFile() bool { return o == originClaimed || o == originTakenOver }

// opened is a listener and how the server came by it.
type opened struct {
	listener *listener.Listener
	origin   origin
	makesDir bool // of a claimed path: its directory was missing, and CreateDir asked for
}

// openListener returns the listener of a server: the one that its parent or the service manager has passed
// to this process, or else one on a path that it claims or takes over.
func (s *Server) openListener(ctx context.Context) (opened, error) {
	if err := s.auth.checkUnmapped(); err != nil {
		return opened{}, fmt.Errorf("listen on %s: %w", s.addr, err)
	}
	if l, err := inherited().listen(s.addr); l != nil || err != nil {
		return opened{listener: l, origin: originInherited}, err
	}
	if l, ok, err := listener.Activated(s.Path()); ok || err != nil {
		return opened{listener: l, origin: originActivated}, err
	}
	makesDir := s.makesDir()
	if err := s.checkMode(opened{makesDir: makesDir}); err != nil {
		return opened{}, fmt.Errorf("listen on %s: %w", s.addr, err)
	}
	o, err := s.claimPath(ctx)
	o.makesDir = makesDir
	return o, err
}

// makesDir reports whether the directory of the path has to be made, and may be.
func (s *Server) makesDir() bool {
	if !s.config.listen.CreateDir || s.addr.IsAbstract() {
		return false
	}
	_, err := os.Stat(filepath.Dir(s.Path()))
	return errors.Is(err, fs.ErrNotExist)
}

// claimPath claims the path, or takes it over from its owner or waits for it, as the options say.
func (s *Server) claimPath(ctx context.Context) (opened, error) {
	standby := s.config.standby
	switch {
	case s.config.takeover && standby != nil:
		return s.takeOverOrStandBy(standby)
	case s.config.takeover:
		return s.takeOver(ctx)
	case standby != nil:
		ctx = standby
	}
	l, err := s.config.listen.Listen(ctx, s.Path())
	if standby != nil && errors.Is(err, socket.ErrInUse) {
		s.config.event(slog.LevelInfo, "standing by")
		l, err = s.config.listen.ListenStandby(standby, s.Path())
	}
	return opened{listener: l, origin: originClaimed}, err
}

// currentListener returns the listener that has the path.
func (s *Server) currentListener() *listener.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened.listener
}

// accept lets grpc accept from l; the channel gets the result of grpc's Serve. grpc closes its listeners
// at the start of a drain, but the path must be held to its end, so grpc gets the bare listener.
func (s *Server) accept(l *listener.Listener) <-chan error {
	served := make(chan error, 1)
	go func() {
		err := s.admission.Serve(l.UnixListener, s.grpc.Serve)
		if errors.Is(err, grpc.ErrServerStopped) {
			err = nil // Close was called first
		}
		served <- err
	}()
	return served
}

// moveTo continues with a listener that has replaced the server's, when the clients in the queue of the
// old one have been accepted.
func (s *Server) moveTo(l *listener.Listener, served <-chan error) <-chan error {
	s.mu.Lock()
	old := s.opened.listener
	s.opened.listener = l
	s.mu.Unlock()
	again := s.accept(l)
	s.awaitQueue(s.handovers, old)
	old.UnixListener.Close()
	<-served // with an error that says that it was closed
	return again
}
