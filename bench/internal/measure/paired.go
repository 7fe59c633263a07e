package measure

import (
	"context"
	"math/rand/v2"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// turns is how often the calls of paired take turns.
const turns = 3

// paired makes the calls of each spec in the same new processes. They take turns, in an order drawn anew each
// time, so that what slows the machine for a moment meets all of them. It returns the value of each, and
// then of each but the first its ratio to the first; both as medians of the turns.
func (r *run) paired(ctx context.Context, specs []load.Spec, value func(load.Result) float64) (medians []float64, err error) {
	values := make([][]float64, len(specs)) // of each turn
	err = r.with(ctx, 1, func(p pair) error {
		for _, s := range specs {
			s.Duration = r.times.Warmup
			if _, err := p.client.Do(child.Request{Warm: &s}); err != nil {
				return err
			}
		}
		for range turns {
			for _, i := range rand.Perm(len(specs)) {
				s := specs[i]
				s.Duration = r.times.Measure / turns
				ran, err := p.client.Do(child.Request{Run: &s})
				if err != nil {
					return err
				}
				values[i] = append(values[i], value(ran.Result))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		medians = append(medians, median(v))
	}
	for _, v := range values[1:] {
		ratios := make([]float64, turns)
		for turn := range ratios {
			ratios[turn] = v[turn] / values[0][turn]
		}
		medians = append(medians, median(ratios))
	}
	return medians, nil
}

func median(values []float64) float64 {
	s, _ := result.Summarize(values)
	return s.Median
}
