package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
)

// condition is what the processes of a measurement find, other than an idle machine that they have for
// themselves.
type condition struct {
	name  string // of the workload, after an @
	words string // for titles
	place child.Place
	busy  bool // every core is kept busy by another process
}

func conditions() []condition {
	return []condition{
		{name: "one-core", words: "one core for both processes", place: child.Place{Cores: 1}},
		{name: "busy", words: "every core busy with other work", busy: true},
		{name: "gomaxprocs-1", words: "GOMAXPROCS=1 in both processes", place: child.Place{Procs: 1}},
	}
}

// shown reports whether the workload is measured under conditions if nobody asks for it by name.
func shown(name string) bool {
	switch name {
	case "unary", "unary-64-callers", "unary-1MiB":
		return true
	}
	return false
}

// Conditional reports whether the workload is one under a condition.
func (w Workload) Conditional() bool { return w.base != "" }

// under returns the workload under a condition.
func (w Workload) under(c condition) Workload {
	v := w
	v.Name = w.Name + "@" + c.name
	v.base = w.Name
	v.Metrics = nil
	for _, m := range w.Metrics {
		m.ID = v.Name + m.ID[len(w.Name):]
		m.Title = fmt.Sprintf("%s; %s", m.Title, c.words)
		v.Metrics = append(v.Metrics, m)
	}
	v.values = func(ctx context.Context, r *run) ([]float64, error) {
		r.condition = c
		return w.values(ctx, r)
	}
	return v
}

// All returns the workloads, and each of them under each condition.
func All() []Workload {
	all := single()
	for _, c := range conditions() {
		for _, w := range single() {
			all = append(all, w.under(c))
		}
	}
	return all
}

// makeBusy keeps every core busy until stop is called.
func makeBusy(ctx context.Context) (stop func() error, err error) {
	p, err := child.Start(ctx, "", child.Place{})
	if err != nil {
		return nil, err
	}
	if _, err := p.Do(child.Request{Compute: &child.Compute{Threads: runtime.NumCPU()}}); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p.Close, nil
}
