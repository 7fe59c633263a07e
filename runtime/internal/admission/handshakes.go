package admission

import (
	"math"
	"sync/atomic"
	"time"
)

// handshakes counts connections, to know whether some were accepted whose handshake is not over. grpc
// resets those when it stops.
type handshakes struct {
	accepted, done atomic.Int64
	last           atomic.Pointer[time.Time] // when the last was accepted; nil if none was
}

func (h *handshakes) add() {
	now := time.Now()
	h.last.Store(&now)
	h.accepted.Add(1)
}

// InHandshake reports whether the handshake of some accepted connection is not over, as far as that is
// known.
func (a *Admission) InHandshake() bool {
	h := &a.handshakes
	return !a.config.UnseenHandshakes && h.done.Load() < h.accepted.Load()
}

// SinceLastAccepted returns how long ago the last connection was accepted; the longest time if none was.
func (a *Admission) SinceLastAccepted() time.Duration {
	last := a.handshakes.last.Load()
	if last == nil {
		return math.MaxInt64
	}
	return time.Since(*last)
}
