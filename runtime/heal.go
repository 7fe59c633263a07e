package runtime

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// rebindPause is how long a server that has lost its path waits before it tries again, should nothing
// at the path change: nothing tells of the death of the process that has taken it.
const rebindPause = time.Second

// failedPause is how soon a server tries again at most, whatever changes at the path.
const failedPause = 50 * time.Millisecond

// lookAfter watches over the socket file until ctx ends. When somebody has removed or replaced
// it, as cleaners of temporary directories do, it binds the path again and sends the new
// listener. What is in use by others is left alone, and looked at again.
func (s *Server) lookAfter(ctx context.Context, l *socket.Listener, rebound chan<- *socket.Listener) {
	if l.Address().IsAbstract() {
		return
	}
	changes := make(chan struct{}, 1)
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() { s.watch(ctx, changes) })
	var retry <-chan time.Time // nil while the path is the server's
	lost, told := "", ""       // why it is not, and what was logged of that
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		case <-retry:
		}
		next, err := l.Rebind()
		if err != nil {
			// Whoever starts just now has the lock for a moment.
			passing := errors.Is(err, socket.ErrInUse) && err.Error() != lost
			lost = err.Error()
			if !passing && told != lost {
				told = lost
				s.config.event(slog.LevelError, "socket lost", slog.Any("error", err))
			}
			retry = time.After(rebindPause)
			select {
			case <-time.After(failedPause): // the attempt may itself have made changes
			case <-ctx.Done():
			}
			continue
		}
		if next == nil && told != "" {
			s.config.event(slog.LevelInfo, "socket back")
		}
		retry, lost, told = nil, "", ""
		if next != nil {
			s.config.counters.rebound.Add(1)
			s.config.event(slog.LevelWarn, "socket bound again")
			l = next
			select {
			case rebound <- next:
			case <-ctx.Done():
				next.UnixListener.Close()
			}
		}
	}
}

// watch tells of changes at the path until ctx ends.
func (s *Server) watch(ctx context.Context, changes chan<- struct{}) {
	err := socket.Watch(ctx, s.addr, func() {
		select {
		case changes <- struct{}{}:
		default: // there is one that nobody has looked at yet
		}
	})
	if err != nil {
		s.config.event(slog.LevelWarn, "socket not watched", slog.Any("error", err))
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
		err := s.grpc.Serve(countingListener{l.UnixListener, s})
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
