package clientstate

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Channel is the part of a [google.golang.org/grpc.ClientConn] that a Monitor uses.
type Channel interface {
	GetState() connectivity.State
	WaitForStateChange(ctx context.Context, from connectivity.State) bool
	Connect()
	ResetConnectBackoff()
}

// Config configures a Monitor.
type Config struct {
	Log        *slog.Logger                // nil for none
	PeerAttr   func(socket.Peer) slog.Attr // describes a server in a record
	Unanswered error                       // why an attempt fails if the server accepts and does not answer
	// Watch calls changed after each change at the server's path until ctx ends; see [socket.Watch].
	Watch func(ctx context.Context, changed func()) error
	// OnConnect and OnDisconnect are called when connections are made and lost. If there is one, the client
	// keeps itself connected.
	OnConnect, OnDisconnect []func()
}

// Monitor follows the connections of one client. Its methods may be called concurrently.
type Monitor struct {
	conf    Config             // constant
	channel Channel            // set by Start
	ctx     context.Context    // ends with Close
	cancel  context.CancelFunc // ends ctx

	goroutines sync.WaitGroup // Add is called with mu held, and not when closed

	waiters atomic.Int64  // calls, and others that wait for a connection
	wake    chan struct{} // holds a value if there is a reason to make an attempt now

	mu sync.Mutex // guards what follows

	conn      connState
	server    socket.Peer        // of the connection, if it is unanswered
	readied   int64              // how often conn has become ready
	seen      connectivity.State // of the channel
	following bool               // follow is running, or has ended
	changed   chan struct{}      // closed at the next change of conn or seen; nil if nobody waits
	recheck   context.CancelFunc // has follow look at the channel again; nil before it does the first time

	http2, direct   transport
	failed, refused int64 // attempts to connect; refused are among failed
	lastError       error // of the last attempt of either transport; nil after a success

	absence error      // why conn is absent
	tried   time.Time  // when the last attempt failed
	watch   *pathWatch // nil if there is none

	reported string   // the reason in the last record of a failure; empty after a success
	records  []record // not written yet
	writing  bool     // a goroutine writes records
}

// New returns a Monitor. Start has to be called before anything else.
func New(conf Config) *Monitor {
	ctx, cancel := context.WithCancel(context.Background())
	return &Monitor{
		conf: conf, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1),
		http2: transport{name: "http2"}, direct: transport{name: "direct"},
	}
}

// Start has the Monitor follow a channel, for which no attempt to connect has been made yet.
func (m *Monitor) Start(channel Channel) {
	m.mu.Lock()
	defer m.unlock()
	m.channel = channel
	if len(m.conf.OnConnect)+len(m.conf.OnDisconnect) > 0 {
		m.startFollowing()
		m.goroutines.Go(m.runHooks)
	}
}

// Close ends the Monitor's goroutines and waits for them, and so for hooks that are running. The channel
// and the direct transport have to be closed before, so that calls which hooks make end.
func (m *Monitor) Close() {
	m.mu.Lock()
	m.step(eventClosed)
	m.unlock()
	m.cancel()
	m.goroutines.Wait()
}

// Ready reports whether HTTP/2 has a connection now whose server has answered.
func (m *Monitor) Ready() bool { return m.view().conn == connReady }

// AwaitReady has HTTP/2 connect, and returns nil once the server has answered. If ctx ends before that it
// returns ctx's error, and after Close [net.ErrClosed].
func (m *Monitor) AwaitReady(ctx context.Context) error {
	m.AddWaiter()
	defer m.RemoveWaiter()
	m.mu.Lock()
	m.startFollowing()
	m.unlock()
	for {
		now := m.view()
		switch {
		case now.conn == connReady:
			return nil
		case now.conn == connClosed:
			return net.ErrClosed
		case now.channel == connectivity.Idle:
			m.channel.Connect()
		}
		select {
		case <-now.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// view is what a Monitor shows to those that wait for a change.
type view struct {
	conn    connState
	readied int64
	channel connectivity.State
	changed <-chan struct{} // closed when there is something new, if follow is running
}

func (m *Monitor) view() view {
	m.mu.Lock()
	defer m.unlock()
	m.observe()
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return view{m.conn, m.readied, m.seen, m.changed}
}

// startFollowing starts follow if it has not been started. The caller holds mu.
func (m *Monitor) startFollowing() {
	if m.following || m.conn == connClosed {
		return
	}
	m.following = true
	m.goroutines.Go(m.follow)
}

// follow applies the channel's state until the client is closed.
func (m *Monitor) follow() {
	for m.ctx.Err() == nil {
		m.mu.Lock()
		state := m.observe()
		ctx, cancel := context.WithCancel(m.ctx)
		m.recheck = cancel
		m.unlock()
		m.channel.WaitForStateChange(ctx, state)
		cancel()
	}
}

// observe applies the channel's state, and returns it. The caller holds mu.
//
// A channel that is ready has its present connection: before grpc makes the next attempt it shows that the
// last connection has ended. One that is not ready says something only about a connection that was: the
// dialer and the credentials know of a new one before the channel shows it.
func (m *Monitor) observe() connectivity.State {
	state := m.channel.GetState()
	if state != m.seen {
		m.seen = state
		m.broadcast()
	}
	switch state {
	case connectivity.Ready:
		m.answered()
	case connectivity.Shutdown:
		m.step(eventClosed)
	default:
		m.step(eventDisconnected)
	}
	return state
}

// step applies e to the state of HTTP/2's connection. It reports whether e may happen; if not, nothing
// changes. The caller holds mu.
func (m *Monitor) step(e connEvent) bool {
	next, ok := m.conn.after(e)
	if ok && next != m.conn {
		m.conn = next
		m.broadcast()
	}
	return ok
}

// broadcast wakes all that wait for a change. follow is among them: the channel may have gone through
// several states since it was observed, and show the same again. The caller holds mu.
func (m *Monitor) broadcast() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
	if m.recheck != nil {
		m.recheck()
	}
}
