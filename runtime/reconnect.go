package runtime

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

const (
	// settlePause is how long a client tries to connect, with backoff, after a change at the path: a
	// socket file appears before its server listens.
	settlePause = 2 * time.Second

	// rewatchPause is how soon a watch that failed is tried again.
	rewatchPause = 10 * time.Second
)

// reconnector makes a client notice a server that comes or comes back. While connecting fails it watches
// the socket's directory, and ends the wait for the next attempt when the socket appears. As long as
// nobody waits for the server, it makes only one attempt every lookPause. If it cannot watch, only the
// backoff remains.
type reconnector struct {
	addr    socket.Address
	changed func()

	waiting atomic.Int64  // calls, and others that need a connection
	wake    chan struct{} // gets a value when there is a reason to try again; holds one

	mu     sync.Mutex
	watch  *pathWatch         // nil while it does not watch
	absent error              // of the last attempt, if there was no server; else nil
	tried  time.Time          // the last attempt
	leave  context.CancelFunc // ends what connected has begun; nil if it has not
	closed bool
	done   sync.WaitGroup
}

// pathWatch is a running watch. The mutex of its reconnector guards its fields.
type pathWatch struct {
	end     context.CancelFunc
	works   bool
	changed time.Time // the last change
}

func newReconnector(addr socket.Address, changed func()) *reconnector {
	return &reconnector{addr: addr, changed: changed, wake: make(chan struct{}, 1)}
}

// failed records a failed attempt to connect, and starts the watch if there is none.
func (r *reconnector) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried = time.Now()
	r.absent = nil
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ECONNREFUSED) {
		r.absent = err
	}
	if r.watch != nil || r.closed {
		return
	}
	ctx, end := context.WithCancel(context.Background())
	w := &pathWatch{end: end}
	r.watch = w
	r.done.Go(func() { r.follow(ctx, w) })
}

// follow watches until ctx ends.
func (r *reconnector) follow(ctx context.Context, w *pathWatch) {
	for ctx.Err() == nil {
		err := socket.Watch(ctx, r.addr, func() {
			r.mu.Lock()
			w.works, w.changed = true, time.Now()
			r.mu.Unlock()
			r.rouse()
			r.changed()
		})
		if err == nil || errors.Is(err, socket.ErrUnsupported) {
			return
		}
		r.mu.Lock()
		w.works = false
		r.mu.Unlock()
		r.rouse()
		select {
		case <-time.After(rewatchPause):
		case <-ctx.Done():
		}
	}
}

// need is called when something needs a connection to continue. needNoMore follows.
func (r *reconnector) need() {
	r.waiting.Add(1)
	r.rouse()
}

func (r *reconnector) needNoMore() { r.waiting.Add(-1) }

// rouse ends a sleep.
func (r *reconnector) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // there is a reason already
	}
}

// sleep delays an attempt to connect while there is no reason for it. If ctx ends in the meantime, it
// returns the error of the last attempt, which is still true.
func (r *reconnector) sleep(ctx context.Context) error {
	rest, absent := r.mayRest()
	if absent == nil {
		return nil
	}
	select {
	case <-r.wake:
		return nil
	case <-time.After(rest):
		return nil
	case <-ctx.Done():
		return absent
	}
}

// mayRest returns for how long no attempt to connect is needed, and why the last one failed; nil if there
// is a reason to try now.
func (r *reconnector) mayRest() (rest time.Duration, absent error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watch == nil || !r.watch.works || time.Since(r.watch.changed) < settlePause || r.waiting.Load() > 0 {
		return 0, nil
	}
	return time.Until(r.tried.Add(lookPause)), r.absent
}

// connected ends the watch, and runs what is to be done with a new connection until the next one.
func (r *reconnector) connected(goOn func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endAll()
	if r.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.leave = cancel
	r.done.Go(func() { goOn(ctx) })
}

// endAll ends everything that is running. The caller holds mu.
func (r *reconnector) endAll() {
	r.absent = nil
	if r.watch != nil {
		r.watch.end()
		r.watch = nil
	}
	if r.leave != nil {
		r.leave()
		r.leave = nil
	}
}

// close ends the watch for good and waits for its end.
func (r *reconnector) close() {
	r.mu.Lock()
	r.closed = true
	r.endAll()
	r.mu.Unlock()
	r.done.Wait()
}
