package direct

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// callContext is the context of a call in the server. Most handlers never wait for the end of their
// context, and a timer and a channel for each call would cost more than all the rest. So they are made on
// first use.
//
// From then on a context of package context is underneath, so that contexts derived from it need no
// goroutine.
type callContext struct {
	values   context.Context            // of the connection and the call; ends only with ServerConfig.Base
	stream   grpc.ServerTransportStream // for grpc.SetHeader and the like
	deadline time.Time                  // zero if there is none

	gone  atomic.Bool // the client has gone
	ended atomic.Bool // the client has gone, or the call is over; set with mu held

	mu     sync.Mutex
	waited context.Context // nil until first used
	cancel context.CancelFunc
}

func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *callContext) Done() <-chan struct{} { return c.wait().Done() }

// Err needs no timer either: the clock says whether the deadline has passed.
func (c *callContext) Err() error {
	if c.runs() {
		return nil
	}
	return c.wait().Err()
}

// runs reports that the context has not ended, and nobody has waited for that yet.
func (c *callContext) runs() bool {
	c.mu.Lock()
	waited := c.waited != nil
	c.mu.Unlock()
	return !waited && !c.ended.Load() && c.values.Err() == nil && (c.deadline.IsZero() || time.Now().Before(c.deadline))
}

func (c *callContext) Value(key any) any {
	if key == streamKey && key != nil {
		return c.stream
	}
	c.mu.Lock()
	from := c.waited
	c.mu.Unlock()
	if from == nil {
		from = c.values
	}
	return from.Value(key)
}

// carry makes that grpc finds a stream in the context. It is called before the context is used.
func (c *callContext) carry(stream grpc.ServerTransportStream) {
	c.stream = stream
	if streamKey == nil {
		c.values = grpc.NewContextWithServerTransportStream(c.values, stream)
	}
}

// streamKey is what grpc asks a context for to find the stream, which package grpc does not export. It is a
// constant of that package. With it a call needs no other context just for the stream. It is nil if that does
// not work with the grpc of this program.
var streamKey = findStreamKey()

func findStreamKey() any {
	asked := &askedContext{Context: context.Background()}
	grpc.ServerTransportStreamFromContext(asked)
	asked.stream = (*transportStream)(nil)
	if grpc.ServerTransportStreamFromContext(asked) != asked.stream {
		return nil
	}
	return asked.key
}

// askedContext remembers what it was asked for last, and answers with the stream.
type askedContext struct {
	context.Context
	key    any
	stream grpc.ServerTransportStream
}

func (c *askedContext) Value(key any) any {
	c.key = key
	return c.stream
}

func (c *callContext) wait() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waited != nil {
		return c.waited
	}
	if c.deadline.IsZero() {
		c.waited, c.cancel = context.WithCancel(c.values)
	} else {
		c.waited, c.cancel = context.WithDeadline(c.values, c.deadline)
	}
	if c.ended.Load() {
		c.cancel()
	}
	return c.waited
}

// end is called when the call is over; again does nothing.
func (c *callContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended.Store(true)
	if c.cancel != nil {
		c.cancel()
	}
}

// hungUp is called when the client has gone, which ends the call.
func (c *callContext) hungUp() {
	c.gone.Store(true)
	c.end()
}
