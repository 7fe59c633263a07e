package clientstate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	"google.golang.org/grpc/connectivity"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errUnanswered = errors.New("the server does not answer")
	errRefused    = errors.New("the server is not trusted")
	errNoFile     = fmt.Errorf("connect: %w", fs.ErrNotExist)
	errOther      = fmt.Errorf("connect: %w", fs.ErrPermission)
)

// channel is grpc's, whose state the test sets.
type channel struct {
	mu       sync.Mutex
	state    connectivity.State
	changed  chan struct{}
	connects int // calls of Connect
	resets   int // calls of ResetConnectBackoff
	awaiting int // calls of WaitForStateChange that run

	beforeWait func() // called once, at the beginning of WaitForStateChange; may be nil
}

func (c *channel) GetState() connectivity.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *channel) WaitForStateChange(ctx context.Context, from connectivity.State) bool {
	c.mu.Lock()
	c.awaiting++
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.awaiting--
	}()
	before := c.beforeWait
	c.beforeWait = nil
	c.mu.Unlock()
	if before != nil {
		before()
	}
	c.mu.Lock()
	changed, now := c.changed, c.state
	c.mu.Unlock()
	if now != from {
		return true
	}
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *channel) set(state connectivity.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = state
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *channel) Connect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connects++
}

func (c *channel) ResetConnectBackoff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resets++
}

func (c *channel) counted() (connects, resets, awaiting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connects, c.resets, c.awaiting
}

// watcher is what watches the path in a test. Each value that is sent to it is a change at the path, or the
// end of the watch if it is an error.
type watcher struct {
	events         chan error
	begun, running atomic.Int64
}

func (w *watcher) watch(ctx context.Context, changed func()) error {
	w.begun.Add(1)
	w.running.Add(1)
	defer w.running.Add(-1)
	for {
		select {
		case err := <-w.events:
			if err != nil {
				return err
			}
			changed()
		case <-ctx.Done():
			return nil
		}
	}
}

// eventLog is a handler that keeps what the records say: the message, and the transport or the error.
type eventLog struct {
	mu      sync.Mutex
	records []string
	hook    func(message string) // called for each record; may be nil
}

func (l *eventLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.Value.String()
		return true
	})
	l.mu.Lock()
	l.records = append(l.records, text)
	l.mu.Unlock()
	if l.hook != nil {
		l.hook(r.Message)
	}
	return nil
}

func (l *eventLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *eventLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *eventLog) WithGroup(string) slog.Handler            { return l }

func (l *eventLog) check(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.records, want) {
		t.Errorf("the records are\n%q, want\n%q", l.records, want)
	}
}

// rig is a Monitor and all that is around it. It lives in a bubble of package synctest.
type rig struct {
	*Monitor
	channel channel
	watcher watcher
	log     eventLog
	events  chan string // of the hooks, which wait for the test to receive them
}

// inBubble runs a test with a rig. The Monitor is closed at its end, and has to leave no goroutine. hooks
// may be nil.
func inBubble(t *testing.T, hooks func(*rig) Config, test func(*testing.T, *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{channel: channel{changed: make(chan struct{})}, watcher: watcher{events: make(chan error)}, events: make(chan string)}
		var conf Config
		if hooks != nil {
			conf = hooks(r)
		}
		r.Monitor = New(Config{
			Log:        slog.New(&r.log),
			PeerAttr:   func(p socket.Peer) slog.Attr { return slog.Int("uid", p.UID) },
			Unanswered: errUnanswered,
			Watch:      r.watcher.watch,
			OnConnect:  conf.OnConnect, OnDisconnect: conf.OnDisconnect,
		})
		r.Start(&r.channel)
		test(t, r)
		r.channel.set(connectivity.Shutdown)
		r.Close()
	})
}

// What grpc does:

func (r *rig) shows(state connectivity.State) {
	r.channel.set(state)
	synctest.Wait()
}

func (r *rig) begin() {
	if err := r.BeginAttempt(context.Background()); err != nil {
		panic(err)
	}
	r.shows(connectivity.Connecting)
}

func (r *rig) accepted() {
	r.begin()
	r.Accepted(socket.Peer{UID: 7})
	synctest.Wait()
}

func (r *rig) connect() {
	r.accepted()
	r.shows(connectivity.Ready)
}

func (r *rig) fail(err error) {
	r.begin()
	r.AttemptFailed(err)
	r.shows(connectivity.TransientFailure)
}
