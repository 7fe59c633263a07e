package udstest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// patience is how long handlers may continue when the server is closed and nobody waits for their answer.
const patience = 5 * time.Second

// server is a server that runs for the length of a test.
type server struct {
	*runtime.Server
	handlers *handlers
	ended    context.Context // ends when Serve has returned, with its error as the cause
}

// run serves, and returns when that has begun.
func run(tb testing.TB, srv *runtime.Server, h *handlers) *server {
	tb.Helper()
	h.abandon = func() { go srv.Close() }
	ended, end := context.WithCancelCause(context.Background())
	s := &server{Server: srv, handlers: h, ended: ended}
	begun := make(chan struct{})
	go func() { end(srv.Serve(observed{context.Background(), sync.OnceFunc(func() { close(begun) })})) }()
	select {
	case <-begun:
	case <-ended.Done():
		tb.Fatalf("udstest: the server cannot start: %v", context.Cause(ended))
	}
	tb.Cleanup(func() {
		tb.Helper()
		s.end(tb)
	})
	return s
}

// observed tells when somebody begins to wait for its end. Serve does so when it serves, after
// all that can keep it from serving.
type observed struct {
	context.Context
	awaited func()
}

func (c observed) Done() <-chan struct{} {
	c.awaited()
	return c.Context.Done()
}

// end closes the server and reports what went wrong.
//
// It does not drain: the clients of the test are closed already. A drain takes a moment, which adds
// up in many tests, and in a synctest bubble it would never end.
func (s *server) end(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// With grpc.WaitForHandlers it waits for them, for ever if they hang.
	go s.Close()
	select {
	case <-s.ended.Done():
	case <-ctx.Done():
	}
	if hung := s.handlers.hung(ctx); hung != "" {
		tb.Errorf("udstest: handlers go on though their context has ended %v ago: let them return when it ends: %s", patience, hung)
	} else if s.ended.Err() == nil {
		tb.Errorf("udstest: the server was closed %v ago and still serves", patience)
	}
	if err := context.Cause(s.ended); err != nil && !isClosed(err) {
		tb.Errorf("udstest: the server ended with an error: %v", err)
	}
	if method := s.handlers.exitedMethod(); method != "" {
		tb.Errorf("udstest: the handler of %s has ended its goroutine, as t.FailNow and t.Fatal do, and so would never answer: the server was closed: use t.Error in handlers, and return", method)
	}
}

// isClosed reports whether a server has ended because it was closed. Serve says nothing then, or,
// if it had just begun, that it cannot.
func isClosed(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, grpc.ErrServerStopped)
}
