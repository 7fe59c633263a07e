package direct

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// Calls with open files cannot go over HTTP/2. Where another call would, they wait for a connection, or fail
// with the reason why there is none.

// noConnError is an [ErrHTTP2] with the reason.
type noConnError struct{ why error }

func noConn(why error) error { return &noConnError{why} }

func (e *noConnError) Error() string { return ErrHTTP2.Error() + ": " + e.why.Error() }

func (e *noConnError) Unwrap() []error { return []error{ErrHTTP2, e.why} }

var (
	errLimit      = errors.New("direct transport: all connections that the client may have are in use")
	errServerFull = errors.New("the server has as many connections as it takes")
)

// Lasting reasons, which may be read after "because".
var (
	errOption   = errors.New("it has a call option that the direct transport does not know")
	errMetadata = errors.New("it has metadata that the direct transport does not carry")

	errMethodName = errors.New("the direct transport does not carry the name of its method")
)

// Because returns the reason for an ErrHTTP2 from NewStream of a method with open files; "" if there is none.
// It can be read after "because".
func Because(err error) string {
	var e *noConnError
	if errors.As(err, &e) {
		return e.why.Error()
	}
	return ""
}

// prepareArrivals prepares a connection for descriptors from the server, if any can come: of open files, and of the
// memory of rings.
func (c *Client) prepareArrivals(conn *conn, answer wire.Answer) {
	files := c.conf.MaxFiles > 0 && (answer.TakesFiles || answer.SendsFiles)
	if answer.Rings {
		conn.ringUse = c.rings
	}
	conn.mayMove.Store(conn.ringUse != nil)
	if rings := conn.ringUse != nil; files || rings {
		conn.files = &incoming{pool: c.codec.pool, most: c.conf.MaxFiles, user: c.files, ringOnly: !files, awaitsRing: rings}
	}
}

// notCarried returns the error of a unary call that prepare refuses with err.
func (c *call) notCarried(err error, request any) error {
	if errors.Is(err, ErrHTTP2) {
		refusal := filewalk.RefuseOverHTTP2(c.method, Because(err), request)
		if refusal == nil {
			return ErrHTTP2
		}
		return c.notSent(refusal)
	}
	filewalk.Discard(request)
	return err
}

// notSent tells stats handlers and call options of a call of which nothing is sent for err, and returns that.
func (c *call) notSent(err error) error {
	c.begin(nil)
	c.finish(err, &response{trailer: metadata.MD{}}, nil)
	return err
}

// acquireForFiles is called when there is no connection for err. It gets one if open files go with the
// request, or may come with the reply.
func (u *unary) acquireForFiles(err error) (*conn, error) {
	if u.files == nil && !filewalk.MayHold(u.reply) {
		return nil, err
	}
	conn, err := u.insist(err)
	if u.files != nil && errors.Is(err, ErrHTTP2) {
		err = filewalk.OverHTTP2(u.method, Because(err))
	}
	return conn, err
}

// acquireForFiles is called when there is no connection for err. It gets one if the messages of the method can
// have open files.
func (s *clientStream) acquireForFiles(err error) (*conn, error) {
	if err = s.withoutFiles(err); err == ErrHTTP2 {
		return nil, err
	}
	return s.insist(err)
}

// withoutFiles returns the error of a stream, an ErrHTTP2 with a reason only for
// methods with open files.
func (s *clientStream) withoutFiles(err error) error {
	if errors.Is(err, ErrHTTP2) {
		if m := filewalk.MethodOf(s.method); !m.InRequest && !m.InResponse {
			return ErrHTTP2
		}
	}
	return err
}

// insist gets a connection when the first attempt has failed with err. It waits while all connections are in
// use and, for a call with WaitForReady, while there is no server. The error is ErrHTTP2 if only HTTP/2 will
// do, and otherwise the call's.
func (c *call) insist(err error) (*conn, error) {
	client := c.client
	for asked := false; ; {
		var no *noConnError
		switch {
		case c.caller.Err() != nil || isOver(c.caller):
			return nil, c.overErr()
		case client.pool.isClosed():
			return nil, errClosing
		case !errors.As(err, &no):
			return nil, err
		}
		switch {
		case errors.Is(no.why, errPlain) && asked:
			return nil, err
		case errors.Is(no.why, errPlain):
			asked = true
			client.plainFor.Store(0) // no other call may ever find out that there is another server now
		case no.why == errLimit || no.why == errLack:
			conn, some := client.pool.awaitConn(c.caller, awaitPause)
			if conn != nil {
				if conn.generation == client.generation.Load() {
					return conn, nil
				}
				client.pool.drop(conn)
			} else if !some {
				if no.why == errLack {
					return nil, client.conf.Unreachable(no.why)
				}
				pause(c.caller)
			}
		case c.opts.failFast && errors.Is(no.why, errFull):
			return nil, client.conf.Unreachable(errServerFull)
		case c.opts.failFast:
			return nil, client.conf.Unreachable(no.why)
		default:
			pause(c.caller)
			client.silentUntil.Store(nil)
		}
		conn, again := client.acquire(c.caller)
		if again == nil {
			return conn, nil
		}
		err = again
	}
}

func (c *call) overErr() error {
	err := c.caller.Err()
	if err == nil {
		err = context.DeadlineExceeded
	}
	return status.FromContextError(err).Err()
}

// pause waits before another attempt.
func pause(ctx context.Context) {
	timer := time.NewTimer(awaitPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
