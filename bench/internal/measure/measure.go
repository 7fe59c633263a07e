package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/machine"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// Times says how long a measurement is.
type Times struct{ Warmup, Measure time.Duration }

// Plan says what to measure.
type Plan struct {
	Peers     []peer.Peer
	Workloads []Workload
	Rounds    int
	Times     Times
	Dir       string                           // for sockets; short, as their paths are limited
	Progress  func(done, all int, what string) // called before each measurement and at the end
}

// All makes the measurements of the plan. In each round the peers take turns at every workload, in
// an order drawn anew each time, so that whatever else the machine does meets all of them alike.
func (p Plan) All(ctx context.Context) (*result.Set, error) {
	set := &result.Set{}
	for _, peer := range p.Peers {
		a := peer.About()
		set.Peers = append(set.Peers, result.Peer{Name: a.Name, Module: a.Module, Version: machine.Version(a.Module), Settings: a.Settings})
	}
	for _, w := range p.Workloads {
		set.Metrics = append(set.Metrics, w.Metrics...)
	}
	all := p.Rounds * len(p.Workloads) * len(p.Peers)
	done := 0
	for round := range p.Rounds {
		for _, w := range p.Workloads {
			for _, i := range rand.Perm(len(p.Peers)) {
				about := p.Peers[i].About()
				p.Progress(done, all, fmt.Sprintf("round %d: %s of %s", round+1, w.Name, about.Name))
				if err := p.one(ctx, set, w, about); err != nil {
					return nil, fmt.Errorf("measure %s of %s in round %d: %w", w.Name, about.Name, round+1, err)
				}
				done++
			}
		}
	}
	p.Progress(done, all, "")
	return set, nil
}

func (p Plan) one(ctx context.Context, set *result.Set, w Workload, about peer.About) error {
	if why := about.Lack(w.Name); why != "" {
		for _, m := range w.Metrics {
			set.Lack(m.ID, about.Name, why)
		}
		return nil
	}
	values, err := w.values(ctx, &run{peer: about.Name, dir: p.Dir, times: p.Times})
	if err != nil {
		return err
	}
	for i, m := range w.Metrics {
		set.Add(m.ID, about.Name, values[i])
	}
	return nil
}
