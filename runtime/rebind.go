package runtime

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

const (
	// checkPause is how often a server checks its path without an event. There is no event when a directory
	// further up is moved away, if no watch can be had, and on macOS and the BSDs, whose kernels report
	// changes of regular files only.
	checkPause = 10 * time.Second

	// unrestPause is how long a server waits after a change. A program that removes a directory removes
	// its entries first, and would fail if they were made again at once.
	unrestPause = 20 * time.Millisecond

	// rebindPause is how long a server that has lost its path waits before it tries again: no event
	// reports the death of the process that has taken it.
	rebindPause = time.Second

	// failedPause is the shortest pause before a server tries again, whatever changes at the path: the
	// attempt itself may have made changes.
	failedPause = 50 * time.Millisecond

	// rewatchPause is how soon a watch that failed is tried again.
	rewatchPause = 10 * time.Second
)

// keepBound watches the socket file until ctx ends. When somebody has removed or replaced it, as cleaners
// of temporary directories do, or its directory, keepBound binds the path again and sends the new
// listener, which has to be received. It does not change what other processes use, and checks again later.
// It closes the channel at its end.
func (s *Server) keepBound(ctx context.Context, l *listener.Listener, rebound chan<- *listener.Listener) {
	defer close(rebound)
	if s.addr.IsAbstract() {
		<-ctx.Done()
		return
	}
	changes := make(chan struct{}, 1)
	blind := false // for the watches, of which there is one at a time
	endWatch := s.watch(ctx, changes, &blind)
	defer func() { endWatch() }()
	var lost pathLoss
	next := time.After(checkPause)
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
			if lost.toLog(err) {
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
			endWatch() // the watched directory may have lost its name
			endWatch = s.watch(ctx, changes, &blind)
		} else if lost.told != "" && !s.isClosed() { // a closed server has nothing to lose
			s.config.event(slog.LevelInfo, "socket back")
		}
		if lost.told != "" {
			s.setHealth(healthv1.HealthCheckResponse_SERVING)
		}
		lost, next = pathLoss{}, time.After(checkPause)
	}
}

// pathLoss records why a server does not have its path.
type pathLoss struct {
	last string // the reason that was found last
	told string // the reason that was logged last
}

// toLog records a reason, and reports whether it is to be logged.
func (l *pathLoss) toLog(err error) bool {
	// A server that is just starting has the lock for a moment.
	passing := errors.Is(err, socket.ErrInUse) && err.Error() != l.last
	l.last = err.Error()
	if passing || l.told == l.last {
		return false
	}
	l.told = l.last
	return true
}

// watch reports changes at the path, and of its directory, until ctx ends or the returned function is
// called, which waits for the end of the watch. blind says whether the log's last word is that the path is
// not watched.
func (s *Server) watch(ctx context.Context, changes chan<- struct{}, blind *bool) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	changed := func() {
		select {
		case changes <- struct{}{}:
		default: // a value is waiting already
		}
	}
	var watches sync.WaitGroup
	watches.Go(func() { s.watchPath(ctx, changed, blind) })
	// The kernel does not report the end of a directory while a socket that is bound in it is open. A
	// watch on the directory above reports it.
	dir, _ := filepath.Split(s.addr.String())
	if addr, err := socket.ParseAddress(strings.TrimRight(dir, string(filepath.Separator))); err == nil {
		watches.Go(func() { socket.Watch(ctx, addr, changed) }) // without it the path is checked every checkPause
	}
	return func() {
		cancel()
		watches.Wait()
	}
}

// watchPath reports changes at the path until ctx ends. While it cannot, the path is checked every
// checkPause.
func (s *Server) watchPath(ctx context.Context, changed func(), blind *bool) {
	for ctx.Err() == nil {
		err := socket.Watch(ctx, s.addr, func() {
			if *blind {
				*blind = false
				s.config.event(slog.LevelInfo, "socket watched again")
			}
			changed()
		})
		if err == nil {
			return
		}
		if !*blind {
			*blind = true
			s.config.event(slog.LevelWarn, "socket not watched", slog.Any("error", err))
		}
		select {
		case <-time.After(rewatchPause):
		case <-ctx.Done():
		}
	}
}
