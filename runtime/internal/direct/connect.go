package direct

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/stats"
)

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
	// Connecting hardly ever waits, and so needs no timer.
	dialing := &callContext{values: ctx, deadline: sooner(ctx, time.Now().Add(prefaceTimeout))}
	uds, info, err := c.conf.Dial(dialing)
	dialing.end()
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
	if c.rings != nil {
		c.rings.absent.Store(!answer.Rings)
	}
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
