package runtime

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// lookAfter watches over the socket file until ctx ends. When somebody has removed or replaced
// it, as cleaners of temporary directories do, it binds the path again and sends the new
// listener. What is in use by others is left alone, and looked at again when it changes.
func (s *Server) lookAfter(ctx context.Context, l *socket.Listener, rebound chan<- *socket.Listener) {
	if l.Address().IsAbstract() {
		return
	}
	failed := ""
	err := socket.Watch(ctx, l.Address(), func() {
		again, err := l.Rebind()
		switch {
		case err != nil && err.Error() != failed:
			failed = err.Error()
			s.config.event(slog.LevelError, "socket lost", slog.String("socket", s.Path()), slog.Any("error", err))
		case err == nil && again != nil:
			failed = ""
			s.config.counters.rebound.Add(1)
			s.config.event(slog.LevelWarn, "socket bound again", slog.String("socket", s.Path()))
			l = again
			select {
			case rebound <- again:
			case <-ctx.Done():
				again.UnixListener.Close()
			}
		}
	})
	if err != nil {
		s.config.event(slog.LevelWarn, "socket not watched", slog.String("socket", s.Path()), slog.Any("error", err))
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
		err := s.grpc.Serve(countingListener{l.UnixListener, &s.arrivals})
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
