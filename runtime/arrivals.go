package runtime

import (
	"math"
	"net"
	"sync/atomic"
	"time"
)

// arrivals counts connections, to know whether some were accepted that grpc has not begun to serve.
// It would reset those when it stops.
type arrivals struct {
	accepted, handshakes atomic.Int64
	last                 atomic.Pointer[time.Time] // when the last was accepted; nil if none was
	unknown              bool                      // handshakes are not counted: the credentials are the program's
}

func (a *arrivals) greeted() bool { return a.unknown || a.handshakes.Load() >= a.accepted.Load() }

// sinceLast is how long ago the last connection was accepted.
func (a *arrivals) sinceLast() time.Duration {
	last := a.last.Load()
	if last == nil {
		return math.MaxInt64
	}
	return time.Since(*last)
}

// countingListener hands on the very connections.
type countingListener struct {
	*net.UnixListener
	arrivals *arrivals
}

func (l countingListener) Accept() (net.Conn, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, err // not conn, which would be an interface that is not nil
	}
	now := time.Now()
	l.arrivals.last.Store(&now)
	l.arrivals.accepted.Add(1)
	return conn, nil
}
