// Package ending is for the calls that still run when the time of a server's drain is nearly over. First their
// contexts end, so that handlers can return in time; then those that are left are answered without their handlers;
// the owner closes the connections last. A client that is answered knows that the server has stopped. One whose
// connection is closed first may not: over HTTP/2 some take that for an error of the protocol.
package ending

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Calls are those of one server. Its methods may be called concurrently.
type Calls struct {
	base    context.Context
	end     context.CancelCauseFunc
	stopped *stoppedError

	mu   sync.Mutex
	http *call // the first of those that run over HTTP/2; nil if there is none
}

// New returns the calls of a server, which is named as it is in errors.
func New(server string) *Calls {
	c := &Calls{stopped: &stoppedError{server}}
	c.base, c.end = context.WithCancelCause(context.Background())
	return c
}

// Base returns a context that ends with End. Those of the direct transport's calls derive from it.
func (c *Calls) Base() context.Context { return c.base }

// Stopped returns the error that End gives contexts as their cause: a status, of codes.Unavailable, that wraps
// [grpc.ErrServerStopped].
func (c *Calls) Stopped() error { return c.stopped }

// End ends the contexts of all calls, also of those that begin later. Ending again does nothing.
func (c *Calls) End() {
	c.end(c.stopped)
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := c.http; k != nil; k = k.next {
		k.wait() // its cause is settled before grpc cancels it
	}
}

// AnswerHTTP2 ends all calls of HTTP/2 with Stopped, whatever their handlers do. It does not wait until clients
// have received that.
func (c *Calls) AnswerHTTP2() {
	c.mu.Lock()
	var left []*call
	for k := c.http; k != nil; k = k.next {
		left = append(left, k)
	}
	c.mu.Unlock()
	for _, k := range left { // without mu: stats handlers are told
		k.answer(c.stopped.GRPCStatus())
	}
}

// Result returns what a call gets whose handler has returned err. After End, a handler that was only told to stop
// does not know why its context has ended, and says that the call was cancelled: the client gets Stopped. It
// gets that too for a stream of messages to it that ends without an error, which could not be told from one that
// is complete.
func (c *Calls) Result(err error, toClient bool) error {
	switch {
	case c.base.Err() == nil:
		return err
	case err == nil && toClient, errors.Is(err, context.Canceled), status.Code(err) == codes.Canceled:
		return c.stopped
	}
	return err
}

// stoppedError says that the server did not wait for a call any longer.
type stoppedError struct{ server string }

func (e *stoppedError) Error() string {
	return fmt.Sprintf("the server on %s stopped before the call finished", e.server)
}

func (e *stoppedError) GRPCStatus() *status.Status {
	return status.New(codes.Unavailable, e.Error())
}

func (*stoppedError) Unwrap() error { return grpc.ErrServerStopped }
