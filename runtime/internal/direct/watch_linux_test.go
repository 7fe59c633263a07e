package direct

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A call over rings ends with its context, whether its goroutine looks for the answer, follows another or sleeps, and
// also if it did so in the call before.
func TestCallsOverRingsEndWithTheirContexts(t *testing.T) {
	overRings(t)
	const calls = 8
	var all sync.WaitGroup // of the calls that are made at once
	waiting := make(chan struct{}, calls)
	h := newHost(t, service{unary: func(ctx context.Context, req *blob) (*blob, error) {
		switch string(req.Value) {
		case "together":
			all.Done()
			all.Wait()
		case "wait":
			waiting <- struct{}{}
			fallthrough
		case "wait a moment":
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		return req, nil
	}}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	for range 3 {
		all.Add(calls)
		results := make(chan error, calls)
		for range calls {
			go func() {
				_, err := invoke(t, c, "together")
				results <- err
			}()
		}
		for range calls {
			if err := await(t, "a call to be answered", results); err != nil {
				t.Fatal(err)
			}
		}
	}

	for i := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan codes.Code, calls)
		for n := range calls {
			go func() {
				ctx, what := ctx, "wait"
				if n == i {
					what = "wait a moment"
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Millisecond)
					defer cancel()
				}
				results <- status.Code(c.Invoke(ctx, unaryMethod, &blob{Value: []byte(what)}, &blob{}, nil))
			}()
		}
		if code := await(t, "the call with a deadline", results); code != codes.DeadlineExceeded {
			t.Errorf("a call with a deadline comes to %v", code)
		}
		for range calls - 1 {
			await(t, "a handler", waiting)
		}
		cancel()
		for range calls - 1 {
			if code := await(t, "a cancelled call", results); code != codes.Canceled {
				t.Errorf("a cancelled call comes to %v", code)
			}
		}
		mustEcho(t, c, "x")
	}
	if n := c.RingsMoved(); n < calls {
		t.Errorf("%d connections had rings, and there were %d calls at once", n, calls)
	}
}
