package runtime

import (
	"context"
	"sync"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// reconnector makes a client notice a server that comes (back): while connecting fails it
// watches the socket's directory, and cuts the wait for the next attempt short when
// the socket appears. Where it cannot watch, the backoff alone goes on.
type reconnector struct {
	addr    socket.Address
	changed func()

	mu     sync.Mutex
	cancel context.CancelFunc // nil while it does not watch
	closed bool
	done   sync.WaitGroup
}

// watch begins to watch, if it does not yet.
func (r *reconnector) watch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil || r.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.done.Go(func() { socket.Watch(ctx, r.addr, r.changed) })
}

// rest ends the watch.
func (r *reconnector) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel()
		r.cancel = nil
	}
}

// close ends the watch for good and waits for its end.
func (r *reconnector) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.rest()
	r.done.Wait()
}
