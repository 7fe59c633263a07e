package direct

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// ErrHTTP2 is returned for a call that has to go over HTTP/2: the server speaks only that or is not there,
// the call needs something that this package lacks, or too many calls are running. The call has not begun:
// neither the server nor a stats handler has seen it.
var ErrHTTP2 = errors.New("direct transport: the call has to go over HTTP/2")

// ClientConfig configures how a Client connects and calls.
type ClientConfig struct {
	// Dial connects to the server and finds out who it is. After an error the call goes over HTTP/2, which
	// tries the same and reports it.
	Dial func(context.Context) (*net.UnixConn, credentials.AuthInfo, error)
	// Connected is called for each new connection. Lost is called when there is no server, or when the
	// server has ended, once however many calls notice it. Either may be nil.
	Connected func(credentials.AuthInfo)
	Lost      func()
	// HTTP2Ready reports whether HTTP/2 has a connection now whose server has answered. nil means no.
	HTTP2Ready func() bool
	Stats      handlers
	MaxRecv    int   // bytes of a message; 0 for grpc's 4 MiB
	MaxConns   int   // connections, and so calls at once; more go over HTTP/2
	Budget     int64 // bytes that may wait in all streams; 0 for 64 MiB
	MaxFiles   int   // open files of a message from the server
	Rings      Rings
	// Unanswered returns the error of a call that was sent to a server which has not answered before that ended,
	// with what to know about such a server. hungUp says that the server has ended the connection. nil is for
	// the error itself.
	Unanswered func(err error, hungUp bool) error
	// Unreachable returns the status of a call that cannot go over HTTP/2, for the error of Dial or another
	// reason why there is no connection. nil is for codes.Unavailable with that text.
	Unreachable func(error) error
}

// Client makes calls. Its methods may be called concurrently; Close ends it.
type Client struct {
	conf   ClientConfig
	codec  codec
	pool   pool
	budget *budget
	files  *openfile.Quota // of those that the server sent
	rings  *ringUse        // nil for none

	closing context.Context // ends with Close
	close   context.CancelFunc

	answerTimeout time.Duration // the constant, but in tests

	// probing is held by the call that connects while it is not known whether the server speaks this
	// protocol, so that one call finds out and not a hundred.
	probing chan struct{}
	proven  atomic.Bool
	unsure  atomic.Bool // the last call that went with a preface may or may not have been processed, so none does

	generation atomic.Int64 // of connections; changes when a server is lost

	http2       atomic.Int64 // counts HTTP/2's connections
	plainFor    atomic.Int64 // see plain
	fullUntil   deadline     // until then no new connection to a full server is tried
	silentUntil deadline     // until then a server that did not answer is not asked again
}

// NewClient returns a client. It connects when a call needs a connection.
func NewClient(conf ClientConfig) *Client {
	if conf.MaxRecv == 0 {
		conf.MaxRecv = defaultMaxRecv
	}
	if conf.Connected == nil {
		conf.Connected = func(credentials.AuthInfo) {}
	}
	if conf.HTTP2Ready == nil {
		conf.HTTP2Ready = func() bool { return false }
	}
	if conf.Lost == nil {
		conf.Lost = func() {}
	}
	if conf.Unreachable == nil {
		conf.Unreachable = func(why error) error { return status.Error(codes.Unavailable, why.Error()) }
	}
	if conf.Unanswered == nil {
		conf.Unanswered = func(err error, _ bool) error { return err }
	}
	c := &Client{
		conf:    conf,
		codec:   newCodec(&wire.Buffers{}),
		pool:    pool{max: conf.MaxConns, sweepEvery: sweepPause},
		budget:  newBudget(conf.Budget),
		files:   openfile.NewQuota(filesPerUser, nil),
		probing: make(chan struct{}, 1),

		answerTimeout: answerTimeout,
	}
	c.rings = newRingUse(conf.Rings, c.pool.inUse)
	c.closing, c.close = context.WithCancel(context.Background())
	return c
}

// SendWaits returns how often the Send of a stream waited because the budget was used up.
func (c *Client) SendWaits() int64 { return c.budget.waited.Load() }

// Close closes all connections. Running calls fail with codes.Canceled.
func (c *Client) Close() {
	c.pool.close()
	c.close()
}

const (
	// fullPause is how long a client makes no new connection to a server that has too many.
	fullPause = time.Second

	// silentPause is the same for a server that did not answer, because it was stopped or has crashed: a
	// call waits two seconds for the answer.
	silentPause = 10 * time.Second
)

// deadline is a time that may be set and read concurrently. The zero deadline has passed.
type deadline struct{ atomic.Pointer[time.Time] }

func (d *deadline) set(after time.Duration) {
	t := time.Now().Add(after)
	d.Store(&t)
}

func (d *deadline) over() bool {
	t := d.Load()
	return t == nil || !time.Now().Before(*t)
}

// HTTP2Connected must be called whenever HTTP/2's connection was accepted, because that may be by another
// server than before. Later calls go to that server too, and it may speak this protocol even if the previous
// one did not.
func (c *Client) HTTP2Connected() {
	if dead := c.pool.closeIdle(); dead != nil {
		c.lost(dead.generation)
	}
	c.silentUntil.Store(nil)
	c.http2.Add(1)
}

// plain reports whether the server is known to speak only HTTP/2. What it has answered counts until HTTP/2
// connects the next time: that may be to another one, even a moment later.
func (c *Client) plain() bool { return c.plainFor.Load() == c.http2.Load()+1 }

// answers reports whether the server speaks this protocol, as far as is known: it did when it was last
// asked.
func (c *Client) answers() bool { return c.proven.Load() && !c.plain() }

// Connect ensures that there is a connection. It returns ErrHTTP2 if there cannot be one.
func (c *Client) Connect(ctx context.Context) error {
	conn, err := c.acquire(ctx)
	if err == nil && !conn.idle() {
		conn, err = c.replace(ctx, conn, nil)
	}
	if err != nil {
		return ErrHTTP2
	}
	c.pool.put(conn)
	return nil
}

// acquire returns an idle connection or a new one.
func (c *Client) acquire(ctx context.Context) (*conn, error) { return c.acquireIn(ctx, false, nil) }

// acquireShared is acquire for a process that cannot open another connection now. Calls share HTTP/2's
// connection if there is one. Otherwise they take turns with the existing ones, but only for a while,
// because a stream without an end may hold each of them.
func (c *Client) acquireShared(ctx context.Context) (*conn, error) {
	deadline := time.Now().Add(prefaceTimeout)
	for !c.conf.HTTP2Ready() && time.Now().Before(deadline) && ctx.Err() == nil {
		conn, some := c.pool.awaitConn(ctx, awaitPause)
		switch {
		case conn != nil && conn.generation == c.generation.Load():
			return conn, nil
		case conn != nil:
			c.pool.drop(conn)
		case !some || !c.pool.reserve():
			return nil, noConn(errLack)
		default:
			if conn, err := c.connect(ctx, nil, nil); err != errLack {
				return conn, err
			}
		}
	}
	return nil, noConn(errLack)
}

// acquireIn is acquire for a caller that may have reserved a place for a connection, and may have a call that
// can go with the preface of a new one; nil if not. It gives the place up if it makes no new connection. If the
// call was sent and may have been processed, the error is its result.
func (c *Client) acquireIn(ctx context.Context, reserved bool, first *unary) (*conn, error) {
	defer func() {
		if reserved {
			c.pool.unreserve()
		}
	}()
	for conn := c.pool.get(); conn != nil; conn = c.pool.get() {
		if conn.generation == c.generation.Load() {
			return conn, nil
		}
		c.pool.drop(conn) // it carried a call when its server was lost
	}
	if err := c.inVain(); err != nil {
		return nil, err
	}
	late := func() {}
	if !c.proven.Load() {
		select {
		case c.probing <- struct{}{}:
		case <-ctx.Done():
			return nil, noConn(ctx.Err())
		}
		if c.proven.Load() {
			<-c.probing // the others need not wait until this call has connected
		} else {
			found := sync.OnceFunc(func() { <-c.probing })
			defer found()
			late = found
		}
		if err := c.inVain(); err != nil {
			return nil, err
		}
	}
	if !reserved && !c.pool.reserve() {
		return nil, noConn(errLimit)
	}
	reserved = false
	conn, err := c.connect(ctx, first, late)
	if err == errLack {
		return c.acquireShared(ctx)
	}
	return conn, err
}

// inVain returns why no new connection is to be tried now; nil if one is.
func (c *Client) inVain() error {
	switch {
	case c.plain():
		return noConn(errPlain)
	case !c.fullUntil.over():
		return noConn(errFull)
	case !c.silentUntil.over():
		return noConn(errNoAnswer)
	}
	return nil
}

// connect makes a new connection in the place that the caller has reserved. The first call goes with the preface
// if it may. If it waits long for the answer, connect calls late.
func (c *Client) connect(ctx context.Context, first *unary, late func()) (*conn, error) {
	generation, connections := c.generation.Load(), c.http2.Load()
	dialing, cancel := context.WithTimeout(ctx, prefaceTimeout)
	uds, info, err := c.conf.Dial(dialing)
	cancel()
	if err != nil {
		c.pool.unreserve()
		switch {
		case isLack(err):
			return nil, errLack
		case ctx.Err() != nil || isOver(ctx): // says nothing about the server
		case nobodyIsThere(err):
			c.proven.Store(false)
			c.lost(generation)
		default:
			c.proven.Store(false)
		}
		return nil, noConn(err)
	}
	conn, err := newConn(uds, info, c.codec.pool)
	if err != nil {
		uds.Close()
		c.pool.unreserve()
		return nil, noConn(err)
	}
	answer, err := c.greet(ctx, conn, first, late)
	if err != nil {
		conn.Close()
		c.pool.unreserve()
		if isStatus(err) {
			return nil, err
		}
		c.handshakeFailed(ctx, err, connections)
		return nil, noConn(err)
	}
	c.proven.Store(true)
	conn.takesFiles = answer.TakesFiles
	conn.sent.onSocket = conn.firstSent > 0
	c.prepareArrivals(conn, answer)
	conn.shutDownFunc = conn.shutDown
	conn.generation = generation // if the server was lost in the meantime, this connection serves one call
	if hs := c.conf.Stats; hs != nil {
		ctx := hs.tagConn(context.Background(), &stats.ConnTagInfo{RemoteAddr: conn.peer.Addr, LocalAddr: conn.peer.LocalAddr})
		hs.conn(ctx, &stats.ConnBegin{Client: true})
		conn.onClose = func() { hs.conn(ctx, &stats.ConnEnd{Client: true}) }
	}
	if !c.pool.add(conn) {
		conn.Close()
		if conn.firstSent > 0 {
			return nil, errClosing
		}
		return nil, noConn(errClosing)
	}
	c.conf.Connected(info)
	return conn, nil
}

// notAnswered remembers that a server does not answer.
func (c *Client) notAnswered() {
	c.proven.Store(false)
	c.silentUntil.set(silentPause)
}

// handshakeFailed remembers why the handshake with a server failed, and how many connections HTTP/2 had had when it
// began.
func (c *Client) handshakeFailed(ctx context.Context, err error, connections int64) {
	switch {
	case errors.Is(err, errFull):
		c.proven.Store(false)
		c.fullUntil.set(fullPause)
	case errors.Is(err, errPlain):
		c.proven.Store(false)
		c.plainFor.Store(connections + 1)
	case ctx.Err() == nil && !isOver(ctx): // otherwise it says nothing about the server
		c.notAnswered()
	}
}

// errLack means that a connection failed because this process or machine lacks a resource.
var errLack = errors.New("direct transport: no descriptor or memory for another connection")

func isLack(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// isOver reports whether ctx ends at any moment.
func isOver(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// nobodyIsThere tells an absent server from a lack of resources at this end and from a full accept queue.
func nobodyIsThere(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}

// replace closes a connection that the server has closed, and gets another one in its place. It closes the
// other idle connections too: they lead to the same server, which is ending or has ended.
func (c *Client) replace(ctx context.Context, dead *conn, first *unary) (*conn, error) {
	c.pool.vacate(dead)
	if c.lost(dead.generation) {
		c.pool.closeIdle()
	}
	return c.acquireIn(ctx, true, first)
}

// lost records that the server of the connections of this generation has gone. It reports whether this was
// not known before: many calls may notice the end of a server, some of them when there are already
// connections to its successor.
func (c *Client) lost(generation int64) bool {
	if !c.generation.CompareAndSwap(generation, generation+1) {
		return false
	}
	c.conf.Lost()
	return true
}

// awaitPause is how often a call that waits for a server looks for one: about the time that a server needs
// to start.
const awaitPause = 20 * time.Millisecond

// awaitServer waits for a server and returns a connection to it. It returns ErrHTTP2 if the server speaks
// only that, if ctx ends, or if the call has ended.
func (c *Client) awaitServer(ctx context.Context, ended func() bool) (*conn, error) {
	tick := time.NewTicker(awaitPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ErrHTTP2
		}
		if ended() {
			return nil, ErrHTTP2
		}
		c.silentUntil.Store(nil)
		conn, err := c.acquire(ctx)
		if err == nil || c.plain() || c.pool.isClosed() {
			return conn, err
		}
	}
}
