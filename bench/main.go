// Command bench compares udsgrpc with other ways to call a process on the same machine. Run it
// in its directory:
//
//	go run .          # a few minutes; writes ../docs/benchmarks
//	go run . -quick   # under a minute; writes a new directory and says which
//
// Server and client of each measurement are processes of their own: this program, started again.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
	"github.com/udsgrpc/udsgrpc/bench/internal/machine"
	"github.com/udsgrpc/udsgrpc/bench/internal/progress"
	"github.com/udsgrpc/udsgrpc/bench/internal/report"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
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

func bench(ctx context.Context, o options) error {
	if err := o.output(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("make a directory for sockets: %w", err)
	}
	defer os.RemoveAll(dir)
	plan := o.plan
	plan.Dir = dir
	plan.Progress = progress.New(os.Stderr).Show
	begin, facts := time.Now(), machine.Facts()
	set, err := plan.All(ctx)
	if err != nil {
		return err
	}
	set.Facts = append(facts,
		result.Fact{Name: "date", Value: begin.UTC().Format(time.DateOnly)},
		result.Fact{Name: "rounds", Value: fmt.Sprint(plan.Rounds)},
		result.Fact{Name: "time of a measurement", Value: fmt.Sprintf("%v, after %v of warm-up", plan.Times.Measure, plan.Times.Warmup)},
		result.Fact{Name: "time of the run", Value: time.Since(begin).Round(time.Second).String()})
	if err := report.Write(o.out, set); err != nil {
		return err
	}
	fmt.Println("wrote", o.out)
	return nil
}
