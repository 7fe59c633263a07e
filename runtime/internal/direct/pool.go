package direct

import (
	"context"
	"slices"
	"sync"
	"time"
)

// sweepPause is how often a pool closes the connections that were not used since the last sweep. So a
// client that pauses for less keeps its connection, and those of a burst are gone after a minute.
const sweepPause = 30 * time.Second

// earnsRings is how often a connection must be used between two sweeps to keep its rings. One that is not is closed
// as well, since the next costs less than their memory.
const earnsRings = earnAfter

// pool holds the connections of a client. None is closed while the pool is locked: stats handlers are told
// of that, and may make a call.
type pool struct {
	max        int
	sweepEvery time.Duration

	mu     sync.Mutex
	idle   []*conn // the last one used is the last; those with rings come after all others
	ringed int     // how many of them have rings
	all    map[*conn]struct{}
	dials  int // connections that are being made
	sweep  *time.Timer
	closed bool
	queue  []chan *conn // of the calls that wait for a connection, the oldest first
}

// get returns the connection that was used last, one with rings rather than another, or nil if all are in use.
func (p *pool) get() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.take(len(p.idle) - 1)
}

// getSocket is get for a call that would get a connection with rings and is better made without: because it is one way,
// or there are as many calls as may have rings. If wanted is set and c is nil, there is none.
func (p *pool) getSocket(oneWay bool, inTurn int, mostRings func() int) (c *conn, wanted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ringed == 0 || !oneWay && len(p.all)-len(p.idle)-inTurn < mostRings() {
		return nil, false
	}
	return p.take(len(p.idle) - p.ringed - 1), true
}

// take removes a connection from idle and returns it, nil if at is less than 0. The caller holds mu.
func (p *pool) take(at int) *conn {
	if at < 0 {
		return nil
	}
	if at >= len(p.idle)-p.ringed {
		p.ringed--
	}
	c := p.idle[at]
	p.idle = slices.Delete(p.idle, at, at+1)
	return c
}

// inUse returns how many connections have a call.
func (p *pool) inUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all) - len(p.idle)
}

// put gives a connection back.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	c.used++
	if len(p.queue) > 0 {
		p.queue[0] <- c
		p.queue = p.queue[1:]
		return
	}
	if c.rings.Load() != nil {
		p.idle = append(p.idle, c)
		p.ringed++
	} else {
		p.idle = slices.Insert(p.idle, len(p.idle)-p.ringed, c)
	}
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.sweepEvery, p.sweepIdle)
	}
}

// awaitConn waits for a while until a connection is given back. It reports whether there are connections.
func (p *pool) awaitConn(ctx context.Context, pause time.Duration) (c *conn, some bool) {
	p.mu.Lock()
	if len(p.all) == 0 || p.closed {
		p.mu.Unlock()
		return nil, false
	}
	if c = p.take(len(p.idle) - 1); c != nil {
		p.mu.Unlock()
		return c, true
	}
	given := make(chan *conn, 1)
	p.queue = append(p.queue, given)
	p.mu.Unlock()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case c = <-given:
		return c, true
	case <-timer.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = slices.DeleteFunc(p.queue, func(q chan *conn) bool { return q == given })
	select {
	case c = <-given: // just now
	default:
	}
	return c, true
}

// reserve reports whether another connection may be made. The caller then calls add or unreserve.
func (p *pool) reserve() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.all)+p.dials >= p.max {
		return false
	}
	p.dials++
	return true
}

// dialing returns how many connections are being made.
func (p *pool) dialing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials
}

func (p *pool) unreserve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials--
}

// add records a new connection, which is in use. It returns false if the pool has been closed.
func (p *pool) add(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials--
	if p.closed {
		return false
	}
	if p.all == nil {
		p.all = map[*conn]struct{}{}
	}
	p.all[c] = struct{}{}
	return true
}

// drop closes a connection that is in use.
func (p *pool) drop(c *conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, c)
}

// vacate closes a connection that is in use, and reserves its place.
func (p *pool) vacate(c *conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, c)
	p.dials++
}

// closeIdle closes the idle connections after one was found closed: they lead to the same server. It
// returns one that was closed already, or nil.
func (p *pool) closeIdle() (dead *conn) {
	for _, c := range p.takeIdle() {
		if dead == nil && !c.idle() {
			dead = c
		}
		c.Close()
	}
	return dead
}

// takeIdle removes the idle connections from the pool and returns them.
func (p *pool) takeIdle() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle
	p.idle, p.ringed = nil, 0
	for _, c := range idle {
		delete(p.all, c)
	}
	return idle
}

func (p *pool) sweepIdle() {
	for _, c := range p.takeUnused() {
		c.Close()
	}
}

// takeUnused removes the idle connections that were not used since the last sweep, or too seldom for their rings,
// from the pool, and returns them.
func (p *pool) takeUnused() (unused []*conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = nil
	if p.closed {
		return nil
	}
	p.idle = slices.DeleteFunc(p.idle, func(c *conn) bool {
		used := c.used
		c.used = 0
		if used >= earnsRings || used > 0 && c.rings.Load() == nil {
			return false
		}
		if c.rings.Load() != nil {
			p.ringed--
		}
		delete(p.all, c)
		unused = append(unused, c)
		return true
	})
	if len(p.idle) > 0 {
		p.sweep = time.AfterFunc(p.sweepEvery, p.sweepIdle)
	}
	return unused
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// close closes all connections, including those in use, which ends their calls.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.sweep != nil {
		p.sweep.Stop()
	}
	all := p.all
	p.all, p.idle, p.ringed = nil, nil, 0
	p.mu.Unlock()
	for c := range all {
		if abort := c.abort.Load(); abort != nil {
			(*abort)()
		}
		c.Close()
	}
}
