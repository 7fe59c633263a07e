package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sdnotify"
)

// The goroutines of a server, besides the one in Serve. None of them outlives Serve, unless it says so:
//
//	accept          grpc accepts from the listener, and handshakes and serves HTTP/2 in goroutines of its own;
//	                there are two for a moment when the path is bound again
//	keepBound       checks the path, with two that watch it and its directory, and binds it again
//	serveDirect     one for each connection of the direct transport, which runs the handlers; may outlive Serve
//	                as long as a handler does
//	successors      one for each successor that asks for the listener
//	viewers         one for each viewer, and those of package inspect
//	underParent     one that reads the lifeline, in a child
//	stopGracefully  one that waits for the calls of each transport; may outlive Serve as long as a handler does
//
// Server.mu guards the listener, the state, and what registered services add. Locks that are taken while it
// is held, of grpc, of package admission and of the look-up of names, are not held while it is taken.

// serverState is the state of a server. It only moves forward, and may skip states; see start and advance.
type serverState int

const (
	stateNew serverState = iota
	stateServing
	stateDraining
	stateClosed
)

// Serve answers calls until ctx ends. Then it drains: it removes the socket file, so that no new client
// connects, and finishes the calls of connected clients. Whatever still runs when the [ShutdownTimeout]
// is nearly over, as open streams may, is cancelled. Then the path is free for a successor, and Serve returns nil.
// Handlers learn of the drain by [DrainingFromContext].
//
// Serve also returns nil when Close is called in the meantime, and when another process has taken over;
// see [Takeover] and [Server.HandedOver]. It returns an error if a service could not be registered, if
// [AuthorizeMethod] names a method that none of them has, if the server was served or closed before, or if
// the listener fails. The path is unlocked in these cases, too, unless another Serve is running.
//
// A socket that is systemd's stays; clients that connect to it during the drain wait for the next process
// that systemd starts. If NOTIFY_SOCKET is set, systemd is told READY=1 when the first server of the
// process serves, and STOPPING=1 when the last one drains or closes (sd_notify(3)). It does not matter if
// that fails.
//
// If somebody removes the socket file while Serve runs, or puts something in its place that is not in use,
// Serve binds the path again at once; connections are not affected. A directory that was removed and made
// again is checked as at the start, and the path is claimed there, at once or within ten seconds. If
// another process uses the path, Serve does not touch it: the [EventLog] tells, and [Health] says
// NOT_SERVING until the path is the server's again.
//
// A ctx of [os/signal.NotifyContext] continues to catch signals after the first: a second SIGINT does not cut
// the drain short, unless its stop function is called when ctx ends, as with [context.AfterFunc].
//
// A handler that ignores its context may outlive Serve.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	if err := s.commitTakeover(ctx); err != nil {
		if ctx.Err() != nil || s.isClosed() {
			return s.Close() // it was told to stop while it waited for the path
		}
		return errors.Join(fmt.Errorf("serve on %s: %w", s.Path(), err), s.Close())
	}
	ctx, leave := underParent(ctx, s.currentListener())
	defer leave()
	served := s.accept(s.currentListener())
	sdnotify.Ready(s)
	s.config.event(slog.LevelInfo, "serving")
	err := s.serveUntil(ctx, served)
	if err != nil {
		err = fmt.Errorf("serve on %s: %w", s.Path(), err)
	}
	return errors.Join(err, s.Close())
}

// serveUntil returns when ctx has ended, or another process has the listener, and the calls are finished;
// or when accepting fails.
func (s *Server) serveUntil(ctx context.Context, served <-chan error) error {
	watching, stopWatching := context.WithCancel(ctx)
	rebound := make(chan *listener.Listener)
	go s.keepBound(watching, s.currentListener(), rebound)
	endWatch := func() {
		stopWatching()
		for l := range rebound {
			l.UnixListener.Close()
		}
	}
	defer endWatch()
	for {
		select {
		case err := <-served:
			return err
		case l, ok := <-rebound:
			if ok { // otherwise ctx has ended, and so has the watch
				served = s.moveTo(l, served)
			}
		case <-ctx.Done():
			stopWatching()
			for l := range rebound { // clients may have connected to it already
				served = s.moveTo(l, served)
			}
			s.drain()
			return <-served
		case <-s.handedOver:
			endWatch()
			s.drainHandedOver(served)
			return nil
		}
	}
}

// advance moves to a later state, if the server has not reached it yet.
func (s *Server) advance(to serverState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state < stateDraining && to >= stateDraining {
		close(s.draining)
	}
	s.state = max(s.state, to)
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateClosed
}

// start makes the step from new to serving, which can be made once.
func (s *Server) start() error {
	s.mu.Lock()
	state, registerErr := s.state, s.registerErr
	if state == stateNew && registerErr == nil {
		s.state = stateServing
	}
	s.mu.Unlock()
	switch {
	case state == stateServing, state == stateDraining:
		return fmt.Errorf("serve on %s: the server is serving already", s.Path())
	case state == stateClosed:
		return fmt.Errorf("serve on %s: %w", s.Path(), grpc.ErrServerStopped)
	case registerErr != nil:
		return errors.Join(registerErr, s.Close())
	}
	if len(s.config.raw) == 0 { // otherwise there can be a handler of methods that are not registered
		if err := s.auth.checkMethods(s.grpc.GetServiceInfo()); err != nil {
			return errors.Join(fmt.Errorf("serve on %s: %w", s.Path(), err), s.Close())
		}
	}
	s.auth.combine()
	s.setHealth(healthv1.HealthCheckResponse_SERVING)
	return nil
}

// Close stops the server now: it removes the socket file, closes connections, cancels running calls, and
// unlocks the path. It does not wait for handlers to return. It may be called at any time; closing again
// does nothing. A socket file that could not be removed is an error, of Serve, too.
func (s *Server) Close() error {
	s.advance(stateClosed)
	// The name is removed first, so that no client finds a server that is about to hang up. A file that
	// cannot be removed is an error of the listener's Close.
	s.currentListener().Withdraw()
	s.endHandovers()
	s.successors.Wait()
	s.inspection.Stop()
	s.viewers.Wait()
	s.stop()
	sdnotify.Stopping(s)
	return s.currentListener().Close()
}

// setHealth sets the same status for all services. It does nothing once the server drains.
func (s *Server) setHealth(status healthv1.HealthCheckResponse_ServingStatus) {
	if s.health != nil {
		s.health.SetAll(status, s.grpc.GetServiceInfo())
	}
}
