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
	cancel context.CancelFunc // ends the watch; nil while it does not watch
	leave  context.CancelFunc // ends what connected has begun; nil if it has not
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

// connected ends the watch, and goes on with what is to be done with a new connection, until there is
// another one.
func (r *reconnector) connected(goOn func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest()
	if r.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.leave = cancel
	r.done.Go(func() { goOn(ctx) })
}

// rest ends all that goes on. The caller holds mu.
func (r *reconnector) rest() {
	for _, end := range []*context.CancelFunc{&r.cancel, &r.leave} {
		if *end != nil {
			(*end)()
			*end = nil
		}
	}
}

// close ends the watch for good and waits for its end.
func (r *reconnector) close() {
	r.mu.Lock()
	r.closed = true
	r.rest()
	r.mu.Unlock()
	r.done.Wait()
}
