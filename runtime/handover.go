package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// takeOverTries is how often to begin anew when the path changes hands between the look
// whether it is free and the request to its owner.
const takeOverTries = 3

// takeOver listens on addr if it is free, and else asks its owner for it.
func takeOver(ctx context.Context, config *serverConfig, addr socket.Address) (*socket.Listener, error) {
	var tries []error
	for range takeOverTries {
		l, err := config.listen.Listen(ctx, addr.String())
		if !errors.Is(err, socket.ErrInUse) {
			return l, err
		}
		l, takeErr := config.listen.TakeOver(ctx, addr.String())
		config.received = takeErr == nil
		if takeErr == nil || errors.Is(takeErr, socket.ErrInUse) {
			return l, takeErr
		}
		tries = append(tries, err, takeErr)
	}
	return nil, errors.Join(tries...)
}

// handOver gives the listener to the heir at the other end of conn. If that fails, the server
// serves on as if nobody had asked.
func (s *Server) handOver(conn *net.UnixConn) {
	defer conn.Close()
	err := s.current().HandOver(s.handovers, conn)
	if err != nil {
		s.config.counters.handoversFailed.Add(1)
		s.config.event(slog.LevelWarn, "handover failed", slog.Any("error", err))
		return
	}
	s.config.counters.handoversGiven.Add(1)
	s.config.event(slog.LevelInfo, "handed over")
	close(s.handedOver)
}

// leave ends a server whose listener another process has: it accepts nobody any more, and
// finishes what it has accepted.
func (s *Server) leave(served <-chan error) {
	s.notifyStopping()
	s.current().UnixListener.Close()
	<-served // with an error that says that it was closed
	ctx, cancel := context.WithTimeout(context.Background(), s.config.shutdownTimeout)
	defer cancel()
	s.awaitGreetings(ctx)
	s.stopGracefully(ctx)
}

// commit completes a takeover, if the listener comes from one.
func (s *Server) commit() error {
	if err := s.current().Commit(); err != nil {
		return errors.Join(fmt.Errorf("serve on %s: %w", s.Path(), err), s.Close())
	}
	if s.config.received {
		s.config.counters.handoversReceived.Add(1)
	}
	return nil
}
