package measure

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/machine"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// Times says how long a measurement is.
type Times struct{ Warmup, Measure time.Duration }

// Peer is a peer, and the program whose children are its server and its client.
type Peer struct {
	peer.About
	Program *Program // nil for this one
}

// Program is the benchmark of another revision.
type Program struct {
	Path     string // of the executable
	Revision string
	Kinds    []load.Kind // of calls that its children can make
}

// Here returns peers of this program.
func Here(peers []peer.Peer) []Peer {
	var here []Peer
	for _, p := range peers {
		here = append(here, Peer{About: p.About()})
	}
	return here
}

// describe returns what results say of the peer.
func (p Peer) describe() result.Peer {
	d := result.Peer{Name: p.Name, Module: p.Module, Version: machine.Version(p.Module), Settings: p.Settings}
	if p.Program != nil {
		d.Counterpart = p.Name
		d.Name += "@" + p.Program.Revision
		d.Version = p.Program.Revision
	}
	return d
}

// lack returns why the peer cannot do a workload, or "" if it can.
func (p Peer) lack(w Workload) string {
	if p.Program != nil && !slices.Contains(p.Program.Kinds, w.kind) {
		return fmt.Sprintf("revision %s does not know calls of the kind %q", p.Program.Revision, w.kind)
	}
	return p.About.Lack(cmp.Or(w.base, w.Name))
}

// Plan says what to measure.
type Plan struct {
	Peers     []Peer
	Workloads []Workload
	Rounds    int
	Times     Times
	Dir       string                           // for sockets; short, as their paths are limited
	Progress  func(done, all int, what string) // called before each measurement and at the end
}

// All makes the measurements of the plan. In each round the peers take turns at every workload, in
// an order drawn anew each time, so that whatever else the machine does meets all of them alike. A peer
// and the same peer of another program follow each other.
func (p Plan) All(ctx context.Context) (*result.Set, error) {
	set := &result.Set{}
	for _, peer := range p.Peers {
		set.Peers = append(set.Peers, peer.describe())
	}
	for _, w := range p.Workloads {
		set.Metrics = append(set.Metrics, w.Metrics...)
	}
	all := p.Rounds * len(p.Workloads) * len(p.Peers)
	done := 0
	for round := range p.Rounds {
		for _, w := range p.Workloads {
			for _, i := range p.order() {
				name := set.Peers[i].Name
				p.Progress(done, all, fmt.Sprintf("round %d: %s of %s", round+1, w.Name, name))
				if err := p.one(ctx, set, w, i); err != nil {
					return nil, fmt.Errorf("measure %s of %s in round %d: %w", w.Name, name, round+1, err)
				}
				done++
			}
		}
	}
	p.Progress(done, all, "")
	return set, nil
}

// order draws an order of the peers, by their indexes.
func (p Plan) order() []int {
	together := map[string][]int{} // by name
	var names []string
	for _, i := range rand.Perm(len(p.Peers)) {
		name := p.Peers[i].Name
		if together[name] == nil {
			names = append(names, name)
		}
		together[name] = append(together[name], i)
	}
	var order []int
	for _, name := range names {
		order = append(order, together[name]...)
	}
	return order
}

// one makes the measurement of one peer, by its index.
func (p Plan) one(ctx context.Context, set *result.Set, w Workload, index int) error {
	peer, name := p.Peers[index], set.Peers[index].Name
	if why := peer.lack(w); why != "" {
		for _, m := range w.Metrics {
			set.Lack(m.ID, name, why)
		}
		return nil
	}
	r := &run{peer: peer.Name, dir: p.Dir, times: p.Times}
	if peer.Program != nil {
		r.program = peer.Program.Path
	}
	values, err := w.values(ctx, r)
	if err != nil {
		return err
	}
	for i, m := range w.Metrics {
		set.Add(m.ID, name, values[i])
	}
	return nil
}
