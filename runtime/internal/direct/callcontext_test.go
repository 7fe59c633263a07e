package direct

import (
	"context"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
)

type keyOfTests struct{}

type keyOfValues struct{}

func newCallContext(deadline time.Time) *callContext {
	return &callContext{values: context.WithValue(context.Background(), keyOfTests{}, "v"), deadline: deadline}
}

// A call's context behaves like any other, whether it is first used before or after the end of the call.
func TestCallContextIsAContext(t *testing.T) {
	far := time.Now().Add(time.Hour)
	past := time.Now().Add(-time.Hour)
	for name, tc := range map[string]struct {
		deadline time.Time
		asked    bool // before the end
		end      bool
		want     error
	}{
		"runs":                        {want: nil},
		"runs, deadline":              {deadline: far, want: nil},
		"over":                        {end: true, want: context.Canceled},
		"over, asked before":          {asked: true, end: true, want: context.Canceled},
		"over before its deadline":    {deadline: far, end: true, want: context.Canceled},
		"past its deadline":           {deadline: past, want: context.DeadlineExceeded},
		"over, past its deadline":     {deadline: past, end: true, want: context.DeadlineExceeded},
		"past its deadline, and over": {deadline: past, asked: true, end: true, want: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCallContext(tc.deadline)
			defer c.end()
			if tc.asked {
				c.Done()
			}
			if tc.end {
				c.end()
			}
			derived, cancel := context.WithCancel(c)
			defer cancel()
			for what, ctx := range map[string]context.Context{
				"it":               c,
				"one with a value": context.WithValue(c, keyOfValues{}, 1),
				"one that can end": derived,
			} {
				if err := ctx.Err(); err != tc.want {
					t.Errorf("%s has the error %v, want %v", what, err, tc.want)
				}
				if err := context.Cause(ctx); err != tc.want {
					t.Errorf("%s has the cause %v, want %v", what, err, tc.want)
				}
				select {
				case <-ctx.Done():
					if tc.want == nil {
						t.Errorf("%s is done", what)
					}
				default:
					if tc.want != nil {
						t.Errorf("%s is not done", what)
					}
				}
				deadline, ok := ctx.Deadline()
				if !deadline.Equal(tc.deadline) || ok == tc.deadline.IsZero() {
					t.Errorf("%s has the deadline %v, %t", what, deadline, ok)
				}
				if v := ctx.Value(keyOfTests{}); v != "v" {
					t.Errorf("%s has the value %v", what, v)
				}
			}
		})
	}
}

// The deadline ends it by itself.
func TestCallContextEndsAtItsDeadline(t *testing.T) {
	c := newCallContext(time.Now().Add(time.Millisecond))
	defer c.end()
	await(t, "the deadline", c.Done())
	if err := c.Err(); err != context.DeadlineExceeded {
		t.Errorf("the error is %v", err)
	}
}

// A context that nobody waits for costs nothing, not even if it is asked whether it has ended.
func TestCallContextThatNobodyWaitsForNeedsNoTimer(t *testing.T) {
	for _, deadline := range []time.Time{{}, time.Now().Add(time.Hour)} {
		c := newCallContext(deadline)
		defer c.end()
		if n := testing.AllocsPerRun(10, func() { c.Value(keyOfTests{}); c.Deadline(); c.Err() }); n > 0 {
			t.Errorf("%v allocations for values, deadline and error", n)
		}
		if c.waited != nil {
			t.Error("there is one underneath, and nobody has waited for the end")
		}
	}
}

// It ends with the context of its values, whether somebody waited for that before or not.
func TestCallContextEndsWithItsValues(t *testing.T) {
	for _, waits := range []bool{false, true} {
		values, cancel := context.WithCancel(context.Background())
		c := &callContext{values: values, deadline: time.Now().Add(time.Hour)}
		defer c.end()
		if waits {
			c.Done()
		}
		cancel()
		if err := c.Err(); err != context.Canceled {
			t.Errorf("the error is %v", err)
		}
		await(t, "the end", c.Done())
	}
}

// Contexts derived from one need no goroutine.
func TestCallContextNeedsNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	c := newCallContext(time.Time{})
	var cancels []context.CancelFunc
	fired := make(chan struct{}, 200)
	var derived []context.Context
	for range 100 {
		d, cancel := context.WithCancel(c)
		e, cancelToo := context.WithTimeout(d, time.Hour)
		cancels = append(cancels, cancel, cancelToo)
		derived = append(derived, d, e, context.WithoutCancel(c))
		context.AfterFunc(c, func() { fired <- struct{}{} })
		context.AfterFunc(e, func() { fired <- struct{}{} })
	}
	if after := runtime.NumGoroutine(); after > before+10 {
		t.Errorf("there are %d goroutines, and were %d", after, before)
	}
	c.end()
	for range 200 {
		await(t, "AfterFunc", fired)
	}
	for i, d := range derived {
		if err := d.Err(); (err == context.Canceled) != (i%3 != 2) {
			t.Errorf("derived context %d has %v", i, err)
		}
	}
	for _, cancel := range cancels {
		cancel()
	}
	c.end() // a second end does nothing
}

// Many goroutines may use and end it at once.
func TestCallContextAtOnce(t *testing.T) {
	c := newCallContext(time.Now().Add(time.Hour))
	done := make(chan struct{}, 10)
	for range 10 {
		go func() {
			c.Value(keyOfTests{})
			d, cancel := context.WithCancel(c)
			defer cancel()
			<-d.Done()
			done <- struct{}{}
		}()
	}
	c.end()
	for range 10 {
		await(t, "the end", done)
	}
}

// Whether grpc's key is known or not, grpc.SetHeader and the like find the stream, and so they do in contexts made
// from this one.
func TestCallContextCarriesTheStream(t *testing.T) {
	if streamKey == nil {
		t.Error("the key of grpc is not found, so each call makes another context")
	}
	known := streamKey
	t.Cleanup(func() { streamKey = known })
	type key struct{}
	const name = "/s/Method"
	for _, streamKey = range []any{known, nil} { // of the package
		c := &callContext{values: context.WithValue(t.Context(), key{}, "value")}
		stream := &transportStream{fullName: name}
		c.carry(stream)
		ctx, cancel := context.WithCancel(c)
		defer cancel()
		for which, ctx := range map[string]context.Context{"itself": c, "made from it": ctx} {
			if method, ok := grpc.Method(ctx); grpc.ServerTransportStreamFromContext(ctx) != stream || method != name || !ok {
				t.Errorf("key known: %v: in the context %s there is not the stream, but %q", streamKey != nil, which, method)
			}
			if got := ctx.Value(key{}); got != "value" {
				t.Errorf("key known: %v: in the context %s there is the value %v", streamKey != nil, which, got)
			}
		}
	}
}
