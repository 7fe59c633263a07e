package clientstate

import (
	"context"
	"errors"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// rewatchPause is how soon a watch that failed is tried again.
const rewatchPause = 10 * time.Second

// pathWatch is a watch of the server's path, which makes a client notice a server that comes or comes
// back. It runs while attempts to connect fail. The Monitor's mu guards its fields.
type pathWatch struct {
	end     context.CancelFunc
	working bool      // it would notice a change
	changed time.Time // the last change
}

// startWatch starts a watch if there is none. The caller holds mu.
func (m *Monitor) startWatch() {
	if m.watch != nil || m.conn == connClosed {
		return
	}
	ctx, end := context.WithCancel(m.ctx)
	w := &pathWatch{end: end}
	m.watch = w
	m.goroutines.Go(func() { m.watchPath(ctx, w) })
}

// endWatch ends the watch if there is one. The caller holds mu.
func (m *Monitor) endWatch() {
	if m.watch != nil {
		m.watch.end()
		m.watch = nil
	}
}

// watchPath watches until ctx ends.
func (m *Monitor) watchPath(ctx context.Context, w *pathWatch) {
	for ctx.Err() == nil {
		err := m.conf.Watch(ctx, func() {
			m.mu.Lock()
			w.working, w.changed = true, time.Now()
			m.unlock()
			m.retryNow()
			m.channel.ResetConnectBackoff()
		})
		if err == nil || errors.Is(err, socket.ErrUnsupported) {
			return
		}
		m.mu.Lock()
		w.working = false
		m.unlock()
		m.retryNow() // without a watch only the backoff remains
		select {
		case <-time.After(rewatchPause):
		case <-ctx.Done():
		}
	}
}
