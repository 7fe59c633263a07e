package clientstate

import (
	"context"
	"time"
)

const (
	// settlePause is how long a client tries to connect, with backoff, after a change at the path: a
	// socket file appears before its server listens.
	settlePause = 2 * time.Second

	// absentPause is how often a client tries to connect while there is no server, nothing changes at the
	// path and nobody waits.
	absentPause = 10 * time.Second
)

// AddWaiter is called when something needs a connection of HTTP/2 to continue. RemoveWaiter follows.
func (m *Monitor) AddWaiter() {
	m.waiters.Add(1)
	m.retryNow()
}

// RemoveWaiter is called when what AddWaiter was called for needs the connection no more.
func (m *Monitor) RemoveWaiter() { m.waiters.Add(-1) }

// retryNow ends the wait in awaitRetry, or the next one at once.
func (m *Monitor) retryNow() {
	select {
	case m.wake <- struct{}{}:
	default: // there is a reason already
	}
}

// awaitRetry delays an attempt while there is no reason for it. If ctx ends in the meantime, it returns the
// error of the last attempt.
func (m *Monitor) awaitRetry(ctx context.Context) error {
	pause, absence := m.retryDelay()
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

// retryDelay returns for how long no attempt is needed, and why the last one failed; nil if there is a
// reason to try now.
func (m *Monitor) retryDelay() (pause time.Duration, absence error) {
	m.mu.Lock()
	defer m.unlock()
	if m.conn != connAbsent || m.watch == nil || !m.watch.working || time.Since(m.watch.changed) < settlePause || m.waiters.Load() > 0 {
		return 0, nil
	}
	return time.Until(m.tried.Add(absentPause)), m.absence
}
