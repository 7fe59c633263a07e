package clientstate

import (
	"context"
	"time"
)

const (
	// settlePause is how long a client tries to connect, with backoff, after a change at the path: a
	// socket file appears before its server listens.
	settlePause = 2 * time.Second

	// restPause is how often a client tries to connect while there is no server, nothing changes at the
	// path and nobody waits.
	restPause = 10 * time.Second
)

// AddWaiter is called when something needs a connection of HTTP/2 to continue. RemoveWaiter follows.
func (m *Monitor) AddWaiter() {
	m.waiters.Add(1)
	m.tryNow()
}

// RemoveWaiter is called when what AddWaiter was called for needs the connection no more.
func (m *Monitor) RemoveWaiter() { m.waiters.Add(-1) }

// tryNow ends a rest.
func (m *Monitor) tryNow() {
	select {
	case m.wake <- struct{}{}:
	default: // there is a reason already
	}
}

// rest delays an attempt while there is no reason for it. If ctx ends in the meantime, it returns the error
// of the last attempt.
func (m *Monitor) rest(ctx context.Context) error {
	pause, absence := m.mayRest()
	if absence == nil {
		return nil
	}
	select {
	case <-m.wake:
		return nil
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return absence
	}
}

// mayRest returns for how long no attempt is needed, and why the last one failed; nil if there is a reason
// to try now.
func (m *Monitor) mayRest() (pause time.Duration, absence error) {
	m.mu.Lock()
	defer m.unlock()
	if m.conn != connAbsent || m.watch == nil || !m.watch.working || time.Since(m.watch.changed) < settlePause || m.waiters.Load() > 0 {
		return 0, nil
	}
	return time.Until(m.tried.Add(restPause)), m.absence
}
