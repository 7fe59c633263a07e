package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/usage"
)

// patience is how long one measurement may take before it counts as hanging.
const patience = 30 * time.Second

// run is one measurement of one peer.
type run struct {
	peer      string
	program   string // whose children do it
	dir       string // for sockets
	times     Times
	services  int
	files     bool // the server has the Files service too
	condition condition
}

// pair is a server and a client in processes of their own.
type pair struct{ server, client *child.Process }

// with starts a server and a client, lets f work with them, and ends them.
func (r *run) with(ctx context.Context, callers int, f func(pair) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp(r.dir, "")
	if err != nil {
		return fmt.Errorf("make a directory for a socket: %w", err)
	}
	if r.condition.busy {
		stop, startErr := makeBusy(ctx)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	var p pair
	if p.server, err = child.Start(ctx, r.program, r.condition.place); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.server.Close()) }()
	if p.client, err = child.Start(ctx, r.program, r.condition.place); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.client.Close()) }()
	reply, err := p.server.Do(child.Request{Serve: &child.Serve{Peer: r.peer, Path: filepath.Join(dir, "s"), Services: max(r.services, 1), Files: r.files}})
	if err != nil {
		return err
	}
	if _, err := p.client.Do(child.Request{Dial: &child.Dial{Peer: r.peer, Addr: reply.Addr, Callers: callers}}); err != nil {
		return err
	}
	err = f(p)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it hung for %v and was ended; see what its goroutines did: %w", patience, errors.Join(ctx.Err(), err))
	}
	return err
}

// measure makes the calls of spec in new processes and returns what they cost both.
func (r *run) measure(ctx context.Context, spec load.Spec) (result load.Result, cost usage.Cost, err error) {
	err = r.with(ctx, max(spec.Callers, 1), func(p pair) error {
		result, cost, err = r.calls(p, spec)
		return err
	})
	return result, cost, err
}

// calls warms up and then makes the calls of spec.
func (r *run) calls(p pair, spec load.Spec) (load.Result, usage.Cost, error) {
	spec.Duration = r.times.Warmup
	if _, err := p.client.Do(child.Request{Warm: &spec}); err != nil {
		return load.Result{}, usage.Cost{}, err
	}
	before, err := p.server.Do(child.Request{Usage: &child.Usage{}})
	if err != nil {
		return load.Result{}, usage.Cost{}, err
	}
	spec.Duration = r.times.Measure
	ran, err := p.client.Do(child.Request{Run: &spec})
	if err != nil {
		return load.Result{}, usage.Cost{}, err
	}
	after, err := p.server.Do(child.Request{Usage: &child.Usage{}})
	return ran.Result, ran.Cost.Plus(after.Usage.Since(before.Usage)), err
}

// idle makes the calls of spec while more and more other clients are connected, and returns
// their p50 and what one of these clients has cost the server.
func (r *run) idle(ctx context.Context, spec load.Spec, crowd []int) (values []float64, err error) {
	err = r.with(ctx, 1, func(p pair) error {
		spec.Duration = r.times.Warmup
		if _, err := p.client.Do(child.Request{Warm: &spec}); err != nil {
			return err
		}
		before, err := p.server.Do(child.Request{Usage: &child.Usage{Settle: true}})
		if err != nil {
			return err
		}
		for _, clients := range crowd {
			if _, err := p.client.Do(child.Request{Idle: &child.Idle{Clients: clients}}); err != nil {
				return err
			}
			res, _, err := r.calls(p, spec)
			if err != nil {
				return err
			}
			values = append(values, micros(res.P50))
		}
		after, err := p.server.Do(child.Request{Usage: &child.Usage{Settle: true}})
		if err != nil {
			return err
		}
		each := func(before, after uint64) float64 {
			return (float64(after) - float64(before)) / float64(crowd[len(crowd)-1])
		}
		values = append(values,
			each(before.Usage.Heap, after.Usage.Heap)/1024,
			each(before.Usage.RSS, after.Usage.RSS)/1024,
			each(uint64(before.Usage.FDs), uint64(after.Usage.FDs)))
		return nil
	})
	return values, err
}
