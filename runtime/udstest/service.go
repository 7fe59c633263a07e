package udstest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// readyTimeout is how long a server on the same machine may take to answer for the first time. It
// is far more than it needs; a loaded machine is no reason to fail.
const readyTimeout = 30 * time.Second

// Service makes servers and clients of one service, each for the length of a test. [For] makes a
// Service. It does not change, so tests may share one; the zero Service is of no use.
//
// S and C are the interfaces that the generated code has for server and client. They are inferred
// and need not be written.
type Service[S, C any] struct {
	newServer func(string, S, ...runtime.ServerOption) (*runtime.Server, error)
	dial      func(string, ...runtime.DialOption) (C, *runtime.ClientConn, error)
}

// For takes the two constructors that are generated for a service, NewXxxUDSServer and DialXxxUDS.
//
// Functions of the program's own that have these forms do as well. What such a newServer does
// between making the server and returning it, registering a second service for instance, is done
// before the server runs. It must pass the path and the options on; some are from this package.
func For[S, C any](
	newServer func(path string, srv S, opts ...runtime.ServerOption) (*runtime.Server, error),
	dial func(path string, opts ...runtime.DialOption) (C, *runtime.ClientConn, error),
) Service[S, C] {
	return Service[S, C]{newServer, dial}
}

// Serve runs a server for impl and returns a client that is connected to it. Both end with the
// test. It is Start and then Dial, with no options for the client, and fails as they do; and also
// if client and server do not come together within half a minute.
func (s Service[S, C]) Serve(tb testing.TB, impl S, opts ...runtime.ServerOption) C {
	tb.Helper()
	srv := s.start(tb, impl, opts)
	client, conn := s.Dial(tb, srv.Path())
	ctx, cancel := context.WithTimeout(srv.ended, readyTimeout)
	defer cancel()
	if err := conn.WaitReady(ctx); err != nil {
		tb.Fatalf("udstest: client and server do not come together: %v", errors.Join(err, context.Cause(srv.ended)))
	}
	return client
}

// Start runs a server for impl on a [Path] of its own until the test ends. Its Path method tells
// clients where it is. Clients can connect when Start returns.
//
// The test fails at once if newServer fails, or Serve does, as when a service cannot be registered.
// At the end of the test the server is closed, not drained. The test fails then if Serve has returned
// an error, and if handlers do not return within five seconds; the message has the methods and the
// stacks.
//
// A test may close the server earlier. One that is about the drain itself, or about servers that
// have a path one after the other, takes a [Path] and the generated constructors.
func (s Service[S, C]) Start(tb testing.TB, impl S, opts ...runtime.ServerOption) *runtime.Server {
	tb.Helper()
	return s.start(tb, impl, opts).Server
}

func (s Service[S, C]) start(tb testing.TB, impl S, opts []runtime.ServerOption) *server {
	tb.Helper()
	handlers := newHandlers()
	srv, err := s.newServer(Path(tb), impl, append(handlers.options(), opts...)...)
	if err != nil {
		tb.Fatalf("udstest: the server cannot start: %v", err)
	}
	return run(tb, srv, handlers)
}

// Dial returns a client of the server on path, and the connection that it uses, which is closed
// at the end of the test. The connection is made at the first call; see [runtime.Dial]. The test
// fails at once if path or opts cannot work.
//
// Any number of clients may use one path. Clients of other services on the same server are made
// of the connection, as in healthv1.NewHealthClient(conn).
func (s Service[S, C]) Dial(tb testing.TB, path string, opts ...runtime.DialOption) (C, *runtime.ClientConn) {
	tb.Helper()
	client, conn, err := s.dial(path, opts...)
	if err != nil {
		tb.Fatalf("udstest: the client cannot be made: %v", err)
	}
	// The test may have closed it, which is no error.
	tb.Cleanup(func() { conn.Close() })
	return client, conn
}
