package ending_test

import (
	"context"
	"errors"
	"io"
	goruntime "runtime"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/ending"
)

type key struct{}

// call makes a unary call whose handler is do.
func call(ctx context.Context, c *ending.Calls, do func(context.Context)) {
	c.Unary(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(ctx, req)
	})(ctx, nil, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
		do(ctx)
		return nil, nil
	})
}

func TestContextOfACallIsItsCallersUntilEnd(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(context.Context){
		"unused":   func(context.Context) {},
		"waited":   func(ctx context.Context) { ctx.Done() },
		"derived":  func(ctx context.Context) { context.WithoutCancel(ctx) },
		"observed": func(ctx context.Context) { ctx.Err(); context.Cause(ctx); ctx.Deadline() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ending.New("/run/x.sock")
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
			defer cancel()
			call(ctx, c, func(ctx context.Context) {
				use(ctx)
				if ctx.Err() != nil || context.Cause(ctx) != nil || ctx.Value(key{}) != "value" {
					t.Errorf("before: %v, %v, %v", ctx.Err(), context.Cause(ctx), ctx.Value(key{}))
				}
				c.End()
				cancel() // as grpc does when the call is answered: the cause stays
				<-ctx.Done()
				if ctx.Err() != context.Canceled || context.Cause(ctx) != c.Stopped() || ctx.Value(key{}) != "value" {
					t.Errorf("after: %v, %v, %v", ctx.Err(), context.Cause(ctx), ctx.Value(key{}))
				}
			})
			call(t.Context(), c, func(ctx context.Context) {
				if context.Cause(ctx) != c.Stopped() {
					t.Errorf("a call that begins later has the cause %v", context.Cause(ctx))
				}
			})
		})
	}
}

func TestContextOfACallEndsWithItsCallers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	call(ctx, ending.New("x"), func(ctx context.Context) {
		cancel(gone)
		<-ctx.Done()
		if context.Cause(ctx) != gone {
			t.Errorf("the cause is %v", context.Cause(ctx))
		}
	})
}

// A goroutine for each context that a handler derives would cost more than the call.
func TestDerivedContextsNeedNoGoroutine(t *testing.T) {
	// Not parallel: it counts goroutines.
	call(t.Context(), ending.New("x"), func(ctx context.Context) {
		before := goruntime.NumGoroutine()
		for range 100 {
			_, cancel := context.WithCancel(ctx)
			defer cancel()
		}
		if n := goruntime.NumGoroutine() - before; n > 50 {
			t.Errorf("100 contexts have %d goroutines", n)
		}
	})
}

func TestCallsMayBeginAndEndWhileAllEnd(t *testing.T) {
	t.Parallel()
	c := ending.New("x")
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for over := false; !over; {
				call(t.Context(), c, func(ctx context.Context) {
					call(t.Context(), c, func(inner context.Context) {
						over = context.Cause(inner) == c.Stopped()
						if over && context.Cause(ctx) != c.Stopped() {
							t.Error("an earlier call goes on")
						}
					})
				})
			}
		})
	}
	c.End()
	c.AnswerHTTP2()
	callers.Wait()
}

func TestResult(t *testing.T) {
	t.Parallel()
	own := status.Error(codes.Aborted, "own")
	for _, tc := range []struct {
		err      error
		toClient bool
		stopped  bool // after End it becomes Stopped
	}{
		{nil, false, false},
		{nil, true, true},
		{own, true, false},
		{io.EOF, false, false},
		{context.Canceled, false, true},
		{errors.Join(io.EOF, context.Canceled), false, true},
		{status.Error(codes.Canceled, "given up"), true, true},
		{context.DeadlineExceeded, true, false},
	} {
		c := ending.New("x")
		if got := c.Result(tc.err, tc.toClient); got != tc.err {
			t.Errorf("before: %v becomes %v", tc.err, got)
		}
		c.End()
		want := tc.err
		if tc.stopped {
			want = c.Stopped()
		}
		if got := c.Result(tc.err, tc.toClient); got != want {
			t.Errorf("%v, with messages to the client %v, becomes %v, want %v", tc.err, tc.toClient, got, want)
		}
	}
}
