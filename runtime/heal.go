package runtime

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

const (
	// lookPause is how often a server looks at its path though nothing has told of a change. Nothing
	// does when a directory further up is moved away; nor where no watch is to be had; nor on macOS and the
	// BSDs, whose kernels tell of regular files alone.
	lookPause = 10 * time.Second

	// unrestPause is how long a server waits after a change. Whoever removes a directory removes what is in it
	// first, and could not go on if that were made anew at once.
	unrestPause = 20 * time.Millisecond

	// rebindPause is how long a server that has lost its path waits before it tries again: nothing tells
	// of the death of the process that has taken it.
	rebindPause = time.Second

	// failedPause is how soon a server tries again at most, whatever changes at the path: the attempt may
	// itself have made changes.
	failedPause = 50 * time.Millisecond
)

// lookAfter watches over the socket file until ctx ends. When somebody has removed or replaced
// it, as cleaners of temporary directories do, or its directory, it binds the path again and sends the new
// listener, which has to be received. What is in use by others is left alone, and looked at again.
// It closes the channel at its end.
func (s *Server) lookAfter(ctx context.Context, l *socket.Listener, rebound chan<- *socket.Listener) {
	defer close(rebound)
	if l.Address().IsAbstract() {
		<-ctx.Done()
		return
	}
	changes := make(chan struct{}, 1)
	endWatch := s.watch(ctx, changes)
	defer func() { endWatch() }()
	var lost loss
	next := time.After(lookPause)
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			select {
			case <-time.After(unrestPause):
			case <-ctx.Done():
				return
			}
		case <-next:
		}
		again, err := l.Rebind()
		if err != nil {
			if lost.news(err) {
				s.config.event(slog.LevelError, "socket lost", slog.Any("error", err))
				s.setHealth(healthv1.HealthCheckResponse_NOT_SERVING)
			}
			select {
			case <-time.After(failedPause):
			case <-ctx.Done():
			}
			next = time.After(rebindPause)
			continue
		}
		if again != nil {
			s.config.counters.rebound.Add(1)
			s.config.event(slog.LevelWarn, "socket bound again")
			l = again
			rebound <- again
			endWatch() // which may be of a directory that has no name any more
			endWatch = s.watch(ctx, changes)
		} else if lost.told != "" && !s.isClosed() { // which has nothing to lose any more
			s.config.event(slog.LevelInfo, "socket back")
		}
		if lost.told != "" {
			s.setHealth(healthv1.HealthCheckResponse_SERVING)
		}
		lost, next = loss{}, time.After(lookPause)
	}
}

// loss is why a server does not have its path.
type loss struct {
	last string // the reason that was found last
	told string // the one that was logged last
}

// news takes note of a reason, and reports whether it is to be logged.
func (l *loss) news(err error) bool {
	// Whoever starts just now has the lock for a moment.
	passing := errors.Is(err, socket.ErrInUse) && err.Error() != l.last
	l.last = err.Error()
	if passing || l.told == l.last {
		return false
	}
	l.told = l.last
	return true
}

// watch tells of changes at the path, and of its directory, until ctx ends or the function that it returns
// is called, which waits for the end.
func (s *Server) watch(ctx context.Context, changes chan<- struct{}) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	changed := func() {
		select {
		case changes <- struct{}{}:
		default: // there is one that nobody has looked at yet
		}
	}
	var watches sync.WaitGroup
	watches.Go(func() { s.watchPath(ctx, changed) })
	// The kernel does not tell of the end of a directory in which a socket is bound that somebody has open.
	// The directory above knows.
	dir, _ := filepath.Split(s.addr.String())
	if addr, err := socket.ParseAddress(strings.TrimRight(dir, string(filepath.Separator))); err == nil {
		watches.Go(func() { socket.Watch(ctx, addr, changed) }) // else it is looked at every lookPause
	}
	return func() {
		cancel()
		watches.Wait()
	}
}

// watchPath tells of changes at the path until ctx ends. While it cannot, the path is looked at every lookPause.
func (s *Server) watchPath(ctx context.Context, changed func()) {
	failed := false
	for ctx.Err() == nil {
		err := socket.Watch(ctx, s.addr, func() {
			if failed {
				failed = false
				s.config.event(slog.LevelInfo, "socket watched again")
			}
			changed()
		})
		if err == nil {
			return
		}
		if !failed {
			failed = true
			s.config.event(slog.LevelWarn, "socket not watched", slog.Any("error", err))
		}
		select {
		case <-time.After(rewatchPause):
		case <-ctx.Done():
		}
	}
}

// current returns the listener that has the path.
func (s *Server) current() *socket.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener
}

// accept lets grpc accept from l; the channel gets what its Serve returns. grpc closes what it
// serves at the start of a drain; the path is to be held to its end, so grpc gets the bare
// listener.
func (s *Server) accept(l *socket.Listener) <-chan error {
	served := make(chan error, 1)
	go func() {
		accepting := &fairListener{UnixListener: l.UnixListener, server: s}
		defer accepting.dropSpare()
		err := s.grpc.Serve(accepting)
		if errors.Is(err, grpc.ErrServerStopped) {
			err = nil // Close was quicker
		}
		served <- err
	}()
	return served
}

// moveTo goes on with a listener that has replaced the server's, when those in the queue of the
// old one are let in.
func (s *Server) moveTo(l *socket.Listener, served <-chan error) <-chan error {
	s.mu.Lock()
	old := s.listener
	s.listener = l
	s.mu.Unlock()
	again := s.accept(l)
	s.awaitQueue(s.handovers, old)
	old.UnixListener.Close()
	<-served // with an error that says that it was closed
	return again
}
