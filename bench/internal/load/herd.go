package load

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// herds is how many herds one after another are timed. It does not depend on how fast they are, as
// the longest time of many is longer than that of few.
const herds = 3

// herd lets the callers of spec begin together on a client made for them, which none has used before.
// It takes the time from then to the first reply of each.
func herd(ctx context.Context, dial func(context.Context, int) (peer.Client, error), data []byte, spec Spec) (Result, error) {
	var times []time.Duration
	begin := time.Now()
	for range herds {
		c, err := dial(ctx, spec.Callers)
		if err != nil {
			return Result{}, err
		}
		first, err := firstReplies(ctx, c, data, max(spec.Callers, 1))
		if err := errors.Join(err, c.Close()); err != nil {
			return Result{}, err
		}
		times = append(times, first...)
	}
	r := Result{Calls: len(times), Elapsed: time.Since(begin)}
	r.count(times)
	return r, nil
}

// firstReplies returns how long each caller waited.
func firstReplies(ctx context.Context, c peer.Client, data []byte, callers int) ([]time.Duration, error) {
	var running sync.WaitGroup
	times, errs := make([]time.Duration, callers), make([]error, callers)
	start := make(chan struct{})
	var begin time.Time // set before start is closed
	for i := range callers {
		running.Go(func() {
			<-start
			got, err := c.Unary(ctx, data)
			times[i], errs[i] = time.Since(begin), check(got, len(data), err)
		})
	}
	begin = time.Now()
	close(start)
	running.Wait()
	return times, errors.Join(errs...)
}
