// Command bench compares udsgrpc with other ways to call a process on the same machine. Run it
// in its directory:
//
//	go run .          # a few minutes; writes ../docs/benchmarks
//	go run . -quick   # under a minute; writes a new directory and says which
//
// or with another revision of this project, whose program it builds:
//
//	go run . -against main -worst 0.97
//
// Server and client of each measurement are processes of their own: this program, started again.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
	"github.com/udsgrpc/udsgrpc/bench/internal/machine"
	"github.com/udsgrpc/udsgrpc/bench/internal/measure"
	"github.com/udsgrpc/udsgrpc/bench/internal/progress"
	"github.com/udsgrpc/udsgrpc/bench/internal/report"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
	"github.com/udsgrpc/udsgrpc/bench/internal/revision"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == child.Argument {
		// Not ctx: a call of a program without deadlines has a context that never ends, and
		// that is what is measured. The parent ends its children.
		return child.Main(context.Background(), os.Stdin, os.Stdout)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.bars != "" {
		return judge(o.bars)
	}
	return bench(ctx, o)
}

// judge compares the results in a file with the bars.
func judge(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	set, err := result.Read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	failed, err := result.WriteVerdicts(os.Stdout, set.Judge(result.Bars()))
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d bars were not passed", failed, len(result.Bars()))
	}
	return err
}

func bench(ctx context.Context, o options) (err error) {
	if err := o.output(); err != nil {
		return err
	}
	if o.made {
		defer func() {
			if err != nil {
				os.Remove(o.out) // stays if something was written
			}
		}()
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("make a directory for sockets: %w", err)
	}
	defer os.RemoveAll(dir)
	plan := o.plan
	plan.Dir = dir
	begin, facts := time.Now(), machine.Facts()
	if o.against != "" {
		fmt.Fprintln(os.Stderr, "building", o.against)
		other, err := revision.Build(ctx, ".", o.against)
		if err != nil {
			return err
		}
		defer other.Close()
		if err := join(ctx, &plan, other); err != nil {
			return err
		}
		facts = append(facts, result.Fact{Name: "compared with", Value: fmt.Sprintf("%s %s, built with %s", other.Revision, other.Subject, other.Go)})
	}
	plan.Progress = progress.New(os.Stderr).Show
	set, err := plan.All(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) // rather than what became of a child
	}
	if err != nil {
		return err
	}
	set.Facts = append(facts,
		result.Fact{Name: "date", Value: begin.UTC().Format(time.DateOnly)},
		result.Fact{Name: "rounds", Value: fmt.Sprint(plan.Rounds)},
		result.Fact{Name: "time of a measurement", Value: fmt.Sprintf("%v, after %v of warm-up", plan.Times.Measure, plan.Times.Warmup)},
		result.Fact{Name: "time of the run", Value: time.Since(begin).Round(time.Second).String()})
	if o.against != "" {
		return compare(set, o)
	}
	if err := report.Write(o.out, set); err != nil {
		return err
	}
	fmt.Println("wrote", o.out)
	return nil
}

// join adds to the peers that can be compared their counterparts in another program.
func join(ctx context.Context, plan *measure.Plan, other *revision.Program) error {
	kinds, err := child.Meet(ctx, other.Path)
	if err != nil {
		return fmt.Errorf("compare with revision %s: %w", other.Revision, err)
	}
	program := &measure.Program{Path: other.Path, Revision: other.Revision, Kinds: kinds}
	for _, p := range plan.Peers {
		if isComparable(p) {
			plan.Peers = append(plan.Peers, measure.Peer{About: p.About, Program: program})
		}
	}
	return nil
}

// compare shows how the peers compare with their counterparts.
func compare(set *result.Set, o options) error {
	if err := report.WriteJSON(o.out, set); err != nil {
		return err
	}
	bound := o.worst
	if bound == 0 {
		bound = result.NotWorse
	}
	fmt.Println("wrote", o.out)
	worse, err := report.Against(os.Stdout, set, bound)
	if err != nil || o.worst == 0 {
		return err
	}
	compared := func(r result.Row) bool { return !r.Yardstick && r.Lacks == "" }
	switch {
	case worse > 0:
		return fmt.Errorf("%d rows are worse than those of the other revision", worse)
	case !slices.ContainsFunc(set.Against(), compared):
		return errors.New("there is no row to compare with the other revision")
	}
	return nil
}
