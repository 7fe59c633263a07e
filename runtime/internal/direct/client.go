package direct

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"
)

// ErrHTTP2 is returned for a call that has to go over HTTP/2: the server speaks nothing else or is
// not there, the call asks for what is not done here, or too many calls run. Nothing of the call
// has happened, to the server or to a stats handler.
var ErrHTTP2 = errors.New("direct transport: the call has to go over HTTP/2")

// ClientConfig is how a Client connects and calls.
type ClientConfig struct {
	// Dial connects to the server and finds out who it is. An error leaves the call to HTTP/2,
	// which tries the same and knows what to do about it.
	Dial func(context.Context) (*net.UnixConn, credentials.AuthInfo, error)
	// Connected is told of each new connection, Lost when nobody is found to be there, or the server to have
	// ended, once however many calls find it. Either may be nil.
	Connected func(credentials.AuthInfo)
	Lost      func()
	// HTTP2Ready reports whether HTTP/2 has a connection now. It may be nil, for no.
	HTTP2Ready func() bool
	Stats      handlers
	MaxRecv    int   // bytes of a message; 0 for grpc's 4 MiB
	MaxConns   int   // connections, and so calls at once; more go over HTTP/2
	Budget     int64 // bytes that all streams may have waiting; 0 for 64 MiB
}

// Client makes calls. Its methods may be called concurrently; Close ends it.
type Client struct {
	conf   ClientConfig
	codec  codec
	pool   pool
	budget *budget

	// greeting is held by who connects while it is not known whether the server speaks this, so
	// that one call finds out and not a hundred.
	greeting chan struct{}
	proven   atomic.Bool

	generation atomic.Int64 // of connections; another one since a server was lost

	refused atomic.Int32 // one of the constants below
	full    deadline     // until then a server with too many connections is not bothered
	silent  deadline     // until then a server that has not answered is not asked again
}

// NewClient returns a client, which connects when a call needs it.
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
	return &Client{conf: conf, codec: newCodec(&buffers{}), greeting: make(chan struct{}, 1), budget: newBudget(conf.Budget), pool: pool{max: conf.MaxConns, sweepEvery: sweepPause}}
}

// SendWaits is how often the Send of a stream has waited because the budget was used up.
func (c *Client) SendWaits() int64 { return c.budget.waited.Load() }

// Close closes all connections. Calls that run fail with codes.Canceled.
func (c *Client) Close() { c.pool.close() }

// What is known of a server that does not speak this: nothing against it; or that it speaks HTTP/2
// only, and HTTP/2 has not connected to it yet, or has.
const (
	notRefused int32 = iota
	refusedForNext
	refusedForThis
)

const (
	// fullPause is how long a client lets a server alone that has too many connections.
	fullPause = time.Second

	// silentPause is for one that has not answered, as it was stopped, or has crashed: a call waits two
	// seconds for the answer.
	silentPause = 10 * time.Second
)

// deadline is a time that may be set and looked at concurrently; the zero deadline is over.
type deadline struct{ atomic.Pointer[time.Time] }

func (d *deadline) set(after time.Duration) {
	t := time.Now().Add(after)
	d.Store(&t)
}

func (d *deadline) over() bool {
	t := d.Load()
	return t == nil || !time.Now().Before(*t)
}

// HTTP2Connected is to be called whenever HTTP/2 has connected. That may be to another server than
// before: calls from now on go to that one, too, and it may speak this if the last one did not.
func (c *Client) HTTP2Connected() {
	if dead := c.pool.flush(); dead != nil {
		c.lost(dead.generation)
	}
	c.silent.Store(nil)
	if !c.refused.CompareAndSwap(refusedForThis, notRefused) {
		c.refused.CompareAndSwap(refusedForNext, refusedForThis)
	}
}

// answers reports whether the server speaks this, as far as is known: it did when it was last asked.
func (c *Client) answers() bool { return c.proven.Load() && c.refused.Load() == notRefused }

// Connect makes sure that there is a connection. The error is ErrHTTP2 if there cannot be one.
func (c *Client) Connect(ctx context.Context) error {
	conn, err := c.acquire(ctx)
	if err == nil && !conn.idle() {
		conn, err = c.replace(ctx, conn)
	}
	if err == nil {
		c.pool.put(conn)
	}
	return err
}

// acquire returns an idle connection or a new one.
func (c *Client) acquire(ctx context.Context) (*conn, error) { return c.acquireIn(ctx, false) }

// acquireLater is acquire for a process that cannot have another connection now. Calls share that of
// HTTP/2 if there is one, and else take turns with those that there are; but not for long, as each of them
// may be held by a stream without end.
func (c *Client) acquireLater(ctx context.Context) (*conn, error) {
	deadline := time.Now().Add(handshakeTimeout)
	for !c.conf.HTTP2Ready() && time.Now().Before(deadline) && ctx.Err() == nil {
		conn, some := c.pool.await(ctx, awaitPause)
		switch {
		case conn != nil && conn.generation == c.generation.Load():
			return conn, nil
		case conn != nil:
			c.pool.drop(conn)
		case !some || !c.pool.reserve():
			return nil, ErrHTTP2
		default:
			if conn, err := c.connect(ctx); err != errLack {
				return conn, err
			}
		}
	}
	return nil, ErrHTTP2
}

// acquireIn is acquire for who may have reserved a place for a connection, which is given up if there is no
// new one.
func (c *Client) acquireIn(ctx context.Context, reserved bool) (*conn, error) {
	defer func() {
		if reserved {
			c.pool.unreserve()
		}
	}()
	for conn := c.pool.get(); conn != nil; conn = c.pool.get() {
		if conn.generation == c.generation.Load() {
			return conn, nil
		}
		c.pool.drop(conn) // a call was on it when its server was lost
	}
	if c.refused.Load() != notRefused || !c.full.over() || !c.silent.over() {
		return nil, ErrHTTP2
	}
	if !c.proven.Load() {
		select {
		case c.greeting <- struct{}{}:
		case <-ctx.Done():
			return nil, ErrHTTP2
		}
		if c.proven.Load() {
			<-c.greeting // the others need not wait until this one has connected
		} else {
			defer func() { <-c.greeting }()
		}
		if c.refused.Load() != notRefused || !c.full.over() || !c.silent.over() {
			return nil, ErrHTTP2
		}
	}
	if !reserved && !c.pool.reserve() {
		return nil, ErrHTTP2
	}
	reserved = false
	conn, err := c.connect(ctx)
	if err == errLack {
		return c.acquireLater(ctx)
	}
	return conn, err
}

// connect makes a new connection in the place that the caller has reserved.
func (c *Client) connect(ctx context.Context) (*conn, error) {
	generation := c.generation.Load()
	dialing, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	uds, info, err := c.conf.Dial(dialing)
	if err != nil {
		c.pool.unreserve()
		switch {
		case isLack(err):
			return nil, errLack
		case ctx.Err() != nil || isOver(ctx): // which says nothing about the server
		case nobodyIsThere(err):
			c.proven.Store(false)
			c.lost(generation)
		default:
			c.proven.Store(false)
		}
		return nil, ErrHTTP2
	}
	if err := greet(dialing, uds); err != nil {
		uds.Close()
		c.pool.unreserve()
		c.notGreeted(ctx, err)
		return nil, ErrHTTP2
	}
	c.proven.Store(true)
	conn, err := newConn(uds, info, c.codec.pool)
	if err != nil {
		uds.Close()
		c.pool.unreserve()
		return nil, ErrHTTP2
	}
	conn.hangUp = conn.shutDown
	conn.generation = generation // if the server was lost meanwhile, this is for one call
	if hs := c.conf.Stats; hs != nil {
		ctx := hs.tagConn(context.Background(), &stats.ConnTagInfo{RemoteAddr: conn.peer.Addr, LocalAddr: conn.peer.LocalAddr})
		hs.conn(ctx, &stats.ConnBegin{Client: true})
		conn.onClose = func() { hs.conn(ctx, &stats.ConnEnd{Client: true}) }
	}
	if !c.pool.add(conn) {
		conn.Close()
		return nil, ErrHTTP2
	}
	c.conf.Connected(info)
	return conn, nil
}

// notGreeted remembers why a server has not been greeted.
func (c *Client) notGreeted(ctx context.Context, err error) {
	switch {
	case errors.Is(err, errFull):
		c.proven.Store(false)
		c.full.set(fullPause)
	case errors.Is(err, errPlain):
		c.proven.Store(false)
		if c.conf.HTTP2Ready() {
			c.refused.Store(refusedForThis)
		} else {
			c.refused.Store(refusedForNext)
		}
	case ctx.Err() == nil && !isOver(ctx): // else it says nothing about the server
		c.proven.Store(false)
		c.silent.set(silentPause)
	}
}

// errLack is for a connection that could not be made for want of what this process or machine lacks.
var errLack = errors.New("direct transport: no descriptor or memory for another connection")

func isLack(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// isOver reports whether ctx ends any moment now.
func isOver(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// nobodyIsThere tells the absence of a server from what this end lacks, and from a queue that is full.
func nobodyIsThere(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}

// replace closes a connection that the server has closed, and gets another one in its place. The other
// idle connections lead to the same server, which is about to end or has ended.
func (c *Client) replace(ctx context.Context, dead *conn) (*conn, error) {
	c.pool.vacate(dead)
	if c.lost(dead.generation) {
		c.pool.flush()
	}
	return c.acquireIn(ctx, true)
}

// lost takes note that the server to which connections of this generation lead has gone. It reports
// whether that is news: many calls may find the end of a server, each at its time, when there are
// connections to the next one already.
func (c *Client) lost(generation int64) bool {
	if !c.generation.CompareAndSwap(generation, generation+1) {
		return false
	}
	c.conf.Lost()
	return true
}

// awaitPause is how often a call that waits for a server looks for one: about as long as a server
// needs to start.
const awaitPause = 20 * time.Millisecond

// await returns a connection when there is a server. The error is ErrHTTP2 if that speaks nothing
// else, or ctx ends, or the call has ended.
func (c *Client) await(ctx context.Context, ended func() bool) (*conn, error) {
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
		c.silent.Store(nil)
		conn, err := c.acquire(ctx)
		if err == nil || c.refused.Load() != notRefused || c.pool.isClosed() {
			return conn, err
		}
	}
}
