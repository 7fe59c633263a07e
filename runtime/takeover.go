package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// TakeoverTimeout is how long [Takeover] waits in NewServer while the path changes hands: for the outcome
// of another takeover, whose successor may need 30 s to be ready, or for an owner that
// drains. Serve waits as long if the owner begins to drain between NewServer and Serve.
const TakeoverTimeout = 35 * time.Second

const (
	// changePause is the first pause before a path that is changing hands is checked again. Each further
	// pause is twice as long, up to longestChangePause.
	changePause        = time.Millisecond
	longestChangePause = 100 * time.Millisecond

	// hangUps is how many owners may hang up without an answer: one may have been about to end, but a
	// server of another kind always does so.
	hangUps = 3

	// askAgainPause is how often a standby asks an owner that could not hand over.
	askAgainPause = 10 * time.Second
)

// takeOver listens on the path if it is free, and otherwise asks its owner for it. While the path changes
// hands it waits for the outcome, and asks the new owner.
func (s *Server) takeOver(ctx context.Context) (opened, error) {
	waiting, cancel := context.WithTimeout(ctx, s.config.takeoverTimeout)
	defer cancel()
	hungUp := 0
	for pause := changePause; ; pause = min(2*pause, longestChangePause) {
		l, err := s.config.listen.Listen(ctx, s.Path())
		if !errors.Is(err, socket.ErrInUse) {
			return opened{listener: l, origin: originClaimed}, err
		}
		l, takeErr := s.config.listen.TakeOver(waiting, s.Path(), (&socket.Dialer{}).DialContext)
		if takeErr == nil {
			return opened{listener: l, origin: originTakenOver}, nil
		}
		if isHangUp(takeErr) {
			hungUp++
		}
		if !changesHands(takeErr) && (!isHangUp(takeErr) || hungUp == hangUps) {
			return opened{}, errors.Join(err, takeErr)
		}
		select {
		case <-time.After(pause):
		case <-waiting.Done():
			return opened{}, fmt.Errorf("%w: %w: %w", waiting.Err(), err, takeErr)
		}
	}
}

// changesHands reports whether the path may soon have another owner, or be free.
func changesHands(err error) bool {
	return errors.Is(err, net.ErrClosed) || // the owner has just given it up
		errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) // it drains, or was killed
}

func isHangUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// takeOverOrStandBy is takeOver, but waits while the owner cannot hand over. An owner that must not,
// because it is another user's, is an error.
func (s *Server) takeOverOrStandBy(ctx context.Context) (opened, error) {
	for logged := false; ; logged = true {
		o, err := s.takeOver(ctx)
		if !errors.Is(err, socket.ErrInUse) || errors.Is(err, fs.ErrPermission) || ctx.Err() != nil {
			return o, err
		}
		if !logged {
			s.config.event(slog.LevelInfo, "standing by", slog.Any("error", err))
		}
		waiting, cancel := context.WithTimeout(ctx, askAgainPause)
		l, err := s.config.listen.ListenStandby(waiting, s.Path())
		cancel()
		if !errors.Is(err, socket.ErrInUse) || ctx.Err() != nil {
			return opened{listener: l, origin: originClaimed}, err
		}
	}
}

// handOver gives the listener to the successor at the other end of conn. If that fails, the server
// continues to serve as before.
func (s *Server) handOver(conn *net.UnixConn) {
	defer conn.Close()
	err := s.currentListener().HandOver(s.handovers, conn)
	if errors.Is(err, net.ErrClosed) {
		return // it was told to ask again
	}
	if err != nil {
		s.config.counters.handoversFailed.Add(1)
		s.config.event(slog.LevelWarn, "handover failed", slog.Any("error", err))
		return
	}
	s.beginDrain() // before Serve comes to it: who is connected must not find SERVING any longer
	s.config.counters.handoversGiven.Add(1)
	s.config.event(slog.LevelInfo, "handed over")
	close(s.handedOver)
}

// HandedOver reports whether another process has taken the socket over, as with [Takeover]. It tells why
// Serve has returned nil: after a handover the service continues, so nothing of it must be cleaned up.
func (s *Server) HandedOver() bool {
	select {
	case <-s.handedOver:
		return true
	default:
		return false
	}
}

// drainHandedOver ends a server whose listener another process has: it accepts no more clients, and
// finishes the calls of those that it has accepted.
func (s *Server) drainHandedOver(served <-chan error) {
	s.currentListener().UnixListener.Close()
	<-served // with an error that says that it was closed
	ctx, cancel := context.WithTimeout(context.Background(), s.config.shutdownTimeout)
	defer cancel()
	s.await(ctx, s.handshakesOver)
	s.stopGracefully(ctx)
}

// commitTakeover completes a takeover, if the listener comes from one. If the owner ends by itself instead, it
// takes the path over again, which waits until it is free. The end of ctx, or Close, ends the wait.
func (s *Server) commitTakeover(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.handovers, cancel)()
	again := s.takeOver
	if s.config.standby != nil {
		again = s.takeOverOrStandBy
	}
	lastStart := time.Now().Add(s.config.takeoverTimeout)
	for {
		err := s.currentListener().Commit()
		if err == nil {
			break
		}
		if !errors.Is(err, net.ErrClosed) || ctx.Err() != nil || time.Now().After(lastStart) {
			return err
		}
		s.currentListener().Close() // also its copy of the lock, which would keep the path from being free
		o, err := again(ctx)
		if err != nil {
			return err
		}
		if !s.replace(o) {
			return errors.Join(net.ErrClosed, o.listener.Close())
		}
	}
	if s.opened.origin == originTakenOver { // only commitTakeover changes it
		s.config.counters.handoversReceived.Add(1)
	}
	return nil
}

// replace makes o the server's listener, unless the server was closed.
func (s *Server) replace(o opened) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateClosed {
		return false
	}
	s.opened = o
	return true
}
