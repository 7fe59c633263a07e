package runtime

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sdnotify"
)

// While a server drains: how often to check whether the accept queue is empty and no connection is in its
// handshake, and how long to continue accepting afterwards. A client that had found the socket file before
// it was removed needs microseconds to get into the queue, and grpc a moment after the handshake. grpc
// resets connections that are in their handshake when a graceful stop begins.
const (
	queuePoll  = time.Millisecond
	queuePause = 40 * time.Millisecond

	// acceptedPause is how long the whole drain waits after the last client was accepted, for that client
	// to begin its first call, even on a busy machine. If that was longer ago, there is no pause.
	// Connections of the direct transport have their own timeout for it, firstCallTimeout.
	acceptedPause = 200 * time.Millisecond

	// queueLimit is for a queue that does not become empty, because clients still find an abstract name,
	// which cannot be withdrawn. The rest of the time is for the calls.
	queueLimit = time.Second
)

// Draining returns a channel that is closed when the server begins to end: Serve drains, because its
// context has ended or another process has taken over, or Close was called. Handlers use
// [DrainingFromContext].
func (s *Server) Draining() <-chan struct{} { return s.draining }

// DrainingFromContext returns [Server.Draining] of the server whose handler runs with ctx, over both
// transports. A handler whose stream has no end of its own should return then; otherwise it delays the
// drain for nearly the whole [ShutdownTimeout], until it is cancelled:
//
//	select {
//	case event := <-events:
//		// ... send it
//	case <-runtime.DrainingFromContext(ctx):
//		return status.Error(codes.Unavailable, "the server ends: start the stream again")
//	case <-ctx.Done():
//		return ctx.Err()
//	}
//
// The channel is nil, so that nothing is ever received from it, if ctx is not the context of a call to a
// [Server], or if other credentials were given with [GRPCServerOptions].
func DrainingFromContext(ctx context.Context) <-chan struct{} {
	info, _ := authInfoFrom(ctx)
	return info.draining
}

// drain ends the server without losing a call, in at most the shutdown timeout: it withdraws the socket
// file, accepts every connection in the queue, and then uses grpc's graceful stop, which sends clients
// elsewhere and waits for running calls.
func (s *Server) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.shutdownTimeout)
	defer cancel()
	s.beginDrain()
	s.config.event(slog.LevelInfo, "draining")
	s.endHandovers()
	if err := s.currentListener().Withdraw(); err != nil { // Close returns it, if it still fails then
		s.config.event(slog.LevelError, "socket not removed", slog.Any("error", err))
	}
	withdrawn := s.currentListener()
	s.await(ctx, func() bool {
		// grpc sends a client away whose call has not begun, and this client could go nowhere.
		return s.allAccepted(withdrawn) && s.admission.SinceLastAccepted() > acceptedPause
	})
	s.stopGracefully(ctx)
}

// beginDrain tells handlers, checks of the health, and systemd that the server ends.
func (s *Server) beginDrain() {
	if s.health != nil {
		s.health.Shutdown() // first: who learns of the drain in another way must not find SERVING
	}
	s.advance(stateDraining)
	sdnotify.Stopping(s)
}

// closingTime is how much of the shutdown timeout handlers have to return after their contexts have ended.
const closingTime = time.Second

// stopGracefully sends clients elsewhere and waits for running calls. When the deadline of ctx is near, it ends
// those that are left.
func (s *Server) stopGracefully(ctx context.Context) {
	// It may continue after stopGracefully has returned, until the last handler returns.
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
	closing := min(closingTime, s.config.shutdownTimeout/4)
	end, _ := ctx.Deadline()
	for _, step := range []struct {
		before time.Duration // how long before the end
		take   func()
	}{{closing, s.endCalls}, {closing / 4, s.answer}, {0, s.stop}} {
		select {
		case <-stopped:
			return
		case <-time.After(time.Until(end) - step.before):
			step.take()
		}
	}
}

// endCalls ends the contexts of all calls, and lets no more begin, where that can be said to the client.
func (s *Server) endCalls() {
	if s.direct != nil {
		s.direct.RefuseCalls()
	}
	s.ending.End()
}

// answer ends all calls, whatever their handlers do.
func (s *Server) answer() {
	if s.direct != nil {
		s.direct.AnswerCalls(s.ending.Stopped())
	}
	s.ending.AnswerHTTP2()
}

// stop closes all connections.
func (s *Server) stop() {
	s.ending.End()
	if s.direct != nil {
		s.direct.Stop()
	}
	s.grpc.Stop()
}

// awaitQueue returns when all clients that found the socket before it was withdrawn were accepted.
func (s *Server) awaitQueue(ctx context.Context, l *listener.Listener) {
	s.await(ctx, func() bool { return s.allAccepted(l) })
}

// allAccepted reports whether all clients that have connected so far were accepted, and their handshakes
// are over.
func (s *Server) allAccepted(l *listener.Listener) bool { return !l.HasQueued() && s.handshakesOver() }

// handshakesOver reports whether no accepted connection is in its handshake.
func (s *Server) handshakesOver() bool { return !s.admission.InHandshake() }

// await returns when over has been true for a while.
func (s *Server) await(ctx context.Context, over func() bool) {
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
		if over() {
			quiet += queuePoll
		} else {
			quiet = 0
		}
	}
}
