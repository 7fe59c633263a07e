package runtime

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// While a server drains, how often to look whether the accept queue is empty and everybody was
// greeted, and how long to go on accepting afterwards: a client that had found the socket file
// before it was removed needs microseconds to get into the queue, and grpc a moment after the
// greeting. grpc resets connections that it has not greeted when a graceful stop begins.
const (
	queuePoll  = time.Millisecond
	queuePause = 40 * time.Millisecond

	// firstCallPause is how long a client that was accepted has to begin its first call, also on a
	// machine that is busy. Without a client that came last there is no pause.
	firstCallPause = 200 * time.Millisecond

	// queueLimit is for a queue that does not become empty: clients go on finding an abstract
	// name, which cannot be withdrawn. The rest of the time is for the calls.
	queueLimit = time.Second
)

// Draining returns a channel that is closed when the server begins to end: Serve drains, because its context
// has ended or another process has taken over, or Close was called. Handlers use [DrainingFromContext].
func (s *Server) Draining() <-chan struct{} { return s.draining }

// DrainingFromContext returns [Server.Draining] of the server whose handler runs with ctx, over both transports
// alike. A handler with a stream that has no end of its own is to return then; otherwise it holds the drain for
// the whole [ShutdownTimeout], and is cancelled after that:
//
//	select {
//	case event := <-events:
//		// ... send it
//	case <-runtime.DrainingFromContext(ctx):
//		return status.Error(codes.Unavailable, "the server ends: begin the stream anew")
//	case <-ctx.Done():
//		return ctx.Err()
//	}
//
// The channel is nil, so that nothing is ever received from it, if ctx is none of a call to a [Server], or if
// other credentials were given with [GRPCServerOptions].
func DrainingFromContext(ctx context.Context) <-chan struct{} {
	info, _ := authInfoFrom(ctx)
	return info.draining
}

// drain ends the server without losing a call, in at most the shutdown timeout: no new
// clients, everybody in the queue let in, then grpc's graceful stop, which tells clients to
// go elsewhere and waits for the calls that run.
func (s *Server) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.shutdownTimeout)
	defer cancel()
	s.advance(stateDraining)
	s.notifyStopping()
	s.config.event(slog.LevelInfo, "draining")
	if s.health != nil {
		s.health.Shutdown()
	}
	s.endHandovers()
	if err := s.current().Withdraw(); err != nil { // which Close returns, if it still is so then
		s.config.event(slog.LevelError, "socket not removed", slog.Any("error", err))
	}
	withdrawn := s.current()
	s.await(ctx, func() bool {
		// grpc sends a client away whose call has not begun, and this one could go nowhere.
		return s.letIn(withdrawn) && s.arrivals.sinceLast() > firstCallPause
	})
	s.stopGracefully(ctx)
}

// stopGracefully tells clients to go elsewhere and waits for the calls that run; when ctx ends,
// it cancels them.
func (s *Server) stopGracefully(ctx context.Context) {
	// It may outlive this, until the last handler returns.
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		var both sync.WaitGroup
		both.Go(s.grpc.GracefulStop)
		if s.direct != nil {
			both.Go(s.direct.Drain)
		}
		both.Wait()
		if s.direct != nil {
			s.direct.Drain() // what grpc has accepted last
		}
	}()
	select {
	case <-stopped:
	case <-ctx.Done():
		s.stop()
	}
}

// stop closes all connections.
func (s *Server) stop() {
	if s.direct != nil {
		s.direct.Stop()
	}
	s.grpc.Stop()
}

// awaitQueue returns when everybody who found the socket before it lost its name has been let in.
func (s *Server) awaitQueue(ctx context.Context, l *socket.Listener) {
	s.await(ctx, func() bool { return s.letIn(l) })
}

// letIn reports whether everybody who has come so far has been accepted and greeted.
func (s *Server) letIn(l *socket.Listener) bool { return !l.Pending() && s.arrivals.greeted() }

// awaitGreetings returns when everybody who was accepted has been greeted.
func (s *Server) awaitGreetings(ctx context.Context) { s.await(ctx, s.arrivals.greeted) }

// await returns when settled has been true for a while.
func (s *Server) await(ctx context.Context, settled func() bool) {
	ctx, cancel := context.WithTimeout(ctx, queueLimit)
	defer cancel()
	tick := time.NewTicker(queuePoll)
	defer tick.Stop()
	quiet := time.Duration(0)
	for quiet < queuePause {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if settled() {
			quiet += queuePoll
		} else {
			quiet = 0
		}
	}
}
