package runtime

import (
	"context"
	"sync"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// While a server drains, how often to look whether the accept queue is empty, and how long
// to go on accepting afterwards: a client that had found the socket file before it was
// removed needs microseconds to get into the queue, and grpc a moment to greet it. grpc
// resets connections that it has not greeted when a graceful stop begins.
const (
	queuePoll  = time.Millisecond
	queuePause = 20 * time.Millisecond

	// queueLimit is for a queue that does not become empty: clients go on finding an abstract
	// name, which cannot be withdrawn. The rest of the time is for the calls.
	queueLimit = time.Second
)

// drain ends the server without losing a call, in at most the shutdown timeout: no new
// clients, everybody in the queue let in, then grpc's graceful stop, which tells clients to
// go elsewhere and waits for the calls that run.
func (s *Server) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.shutdownTimeout)
	defer cancel()
	s.notifyStopping()
	if s.health != nil {
		s.health.Shutdown()
	}
	s.endHandovers()
	// A file that cannot be removed is reported by Close.
	s.current().Withdraw()
	awaitQueue(ctx, s.current())
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

// awaitQueue returns when everybody who found the socket before it was withdrawn has been
// accepted.
func awaitQueue(ctx context.Context, l *socket.Listener) {
	ctx, cancel := context.WithTimeout(ctx, queueLimit)
	defer cancel()
	tick := time.NewTicker(queuePoll)
	defer tick.Stop()
	empty := time.Duration(0)
	for empty < queuePause {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if l.Pending() {
			empty = 0
		} else {
			empty += queuePoll
		}
	}
}

// pause lets grpc greet the connections that were accepted last.
func pause(ctx context.Context) {
	select {
	case <-time.After(queuePause):
	case <-ctx.Done():
	}
}
