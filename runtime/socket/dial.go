package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Between tries while the server's accept queue is full: the first wait is about the time in which a
// server accepts a few connections, the last keeps a thousand waiting clients from using up a core.
const (
	firstQueueWait = 200 * time.Microsecond
	lastQueueWait  = 20 * time.Millisecond
)

// Dialer connects to Unix domain sockets. The zero Dialer is ready to use, and safe for
// concurrent use.
type Dialer struct{}

// DialContext connects to path, in any form that [ParseAddress] reads.
//
// Linux refuses a connection with EAGAIN while the server's accept queue is full; DialContext tries again
// until ctx ends. Every other failure is final and returned at once. The error wraps the errno and says
// what was found at the path, as [Diagnose] does. A path of more than 107 bytes is dialed as
// [ListenConfig.Listen] binds it; where that is not possible the error wraps [ErrPathTooLong].
func (d *Dialer) DialContext(ctx context.Context, path string) (*net.UnixConn, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	return d.DialAddress(ctx, addr)
}

// DialAddress is DialContext for a parsed address.
func (d *Dialer) DialAddress(ctx context.Context, addr Address) (*net.UnixConn, error) {
	conn, err := dialQueue(ctx, addr)
	if err != nil {
		_, detail := explain(addr, err)
		return nil, fmt.Errorf("dial %s: %w: %s", addr, err, detail)
	}
	return conn, nil
}

// dialQueue connects, and waits while the accept queue is full. If ctx ends during that wait, the full
// queue is the reason.
func dialQueue(ctx context.Context, addr Address) (*net.UnixConn, error) {
	return dialAgain(ctx, addr, nil)
}

// dialAgain is dialQueue after a try that failed because the queue was full, if there was one.
func dialAgain(ctx context.Context, addr Address, full error) (*net.UnixConn, error) {
	for wait := firstQueueWait; ; wait = min(2*wait, lastQueueWait) {
		conn, err := connect(ctx, addr)
		switch {
		case errors.Is(err, errQueueFull):
			full = err
		case !timedOut(err):
			return conn, err
		case full == nil:
			<-ctx.Done() // it ends at any moment, and callers may ask it whether it was the reason
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", full, ctx.Err())
		}
	}
}

// timedOut reports whether a try ended because its time was up, which may be a moment before the context says so.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// connect makes one try.
func connect(ctx context.Context, addr Address) (*net.UnixConn, error) {
	name, done, err := addr.sockPath()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := endOf(ctx); err != nil {
		return nil, err
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"}) // which does not wait
	if err != nil {
		// The path in net's error may be the one through /proc.
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, err
	}
	return conn, nil
}

// endOf returns the error of ctx if it has ended, or will at any moment.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
