package runtime

import (
	"errors"
	"log/slog"
	"math"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// arrivals counts connections, to know whether some were accepted that grpc has not begun to serve. grpc
// resets those when it stops.
type arrivals struct {
	accepted, handshakes atomic.Int64
	last                 atomic.Pointer[time.Time] // when the last was accepted; nil if none was
	complaints           complaints
	unknown              bool // handshakes are not counted: the credentials are the program's
}

func (a *arrivals) greeted() bool { return a.unknown || a.handshakes.Load() >= a.accepted.Load() }

// sinceLast returns how long ago the last connection was accepted.
func (a *arrivals) sinceLast() time.Duration {
	last := a.last.Load()
	if last == nil {
		return math.MaxInt64
	}
	return time.Since(*last)
}

// complaintPause is how often a lasting problem is logged.
const complaintPause = time.Minute

// complaints says when a problem is to be logged. Its method may be called concurrently.
type complaints struct {
	last atomic.Pointer[time.Time] // nil if there was none
}

func (c *complaints) due(now time.Time) bool {
	last := c.last.Load()
	return (last == nil || now.Sub(*last) > complaintPause) && c.last.CompareAndSwap(last, &now)
}

// notAccepted logs a failure after which grpc silently tries again: most likely the process has no
// descriptor left. Then attempts may succeed and fail in turn.
func (s *Server) notAccepted(err error) {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) { // closed, or withdrawn
		return
	}
	s.config.counters.notAccepted.Add(1)
	if s.arrivals.complaints.due(time.Now()) {
		s.config.event(slog.LevelError, "cannot accept", slog.Any("error", err))
	}
}
