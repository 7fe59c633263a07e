package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// caller is one of those who call at the same time.
type caller struct {
	times    []time.Duration
	messages int
	err      error
}

// fastest is less than any call takes, so that no slice of times has to grow.
const fastest = 2 * time.Microsecond

// repeat lets the callers of spec repeat op until the time is over.
func repeat(ctx context.Context, spec Spec, op operation) (Result, error) {
	callers := make([]caller, max(spec.Callers, 1))
	for i := range callers {
		callers[i].times = make([]time.Duration, 0, int(spec.Duration/fastest)/len(callers)+16)
	}
	begin := time.Now()
	end := begin.Add(spec.Duration)
	var running sync.WaitGroup
	for i := range callers[1:] {
		running.Go(func() { callers[i+1].repeat(ctx, end, op) })
	}
	callers[0].repeat(ctx, end, op)
	running.Wait()
	elapsed := time.Since(begin)

	r := Result{Elapsed: elapsed}
	parts := make([][]time.Duration, len(callers))
	var errs []error
	for i, c := range callers {
		r.Calls += c.messages
		parts[i] = c.times
		errs = append(errs, c.err)
	}
	if spec.Kind != ServerStream && spec.Kind != ClientStream {
		r.count(slices.Concat(parts...))
	}
	return r, errors.Join(errs...)
}

// count sorts times, and takes from them what r says of them.
func (r *Result) count(times []time.Duration) {
	slices.Sort(times)
	r.P50, r.P99, r.Max = quantile(times, 0.50), quantile(times, 0.99), quantile(times, 1)
}

func (c *caller) repeat(ctx context.Context, end time.Time, op operation) {
	for begin := time.Now(); ; begin = time.Now() {
		done, messages, err := op(ctx)
		if err != nil {
			c.err = err
			return
		}
		c.times = append(c.times, done.Sub(begin))
		c.messages += messages
		if done.After(end) {
			return
		}
	}
}

// quantile returns the value of which that part of the sorted times is not longer.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}
