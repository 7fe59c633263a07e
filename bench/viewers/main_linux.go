// Command viewers measures what it costs a server that somebody looks at it with udsgrpc top or udsgrpc tap:
//
//	go run ./viewers                        # all of it, half an hour
//	go run ./viewers -callers 64 -viewers nobody,tap -transports direct
//
// Server, client and viewer are processes of their own. Windows of calls with and without the viewer take turns on
// the same server and client, and each one with it is compared with the two beside it, so that what the machine
// does meanwhile meets both. The start of the viewer is in no window, and what it is told at once after a quiet time is
// not either. The viewer that is nobody shows how far apart equal things are: look at no other before that is near
// 1. With off, nobody looks at either of two servers, of which one has inspection turned off.
//
// Calls a second vary on a machine that does other things, too, and most where calls go through shared memory. The CPU
// that the viewer takes does not. That of looking is this and what calls cost server and client more, as parts of
// all cores. It ends with status 1 if a ratio is below -worst by more than its error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
)

type options struct {
	tool       string
	callers    []int
	transports []string
	viewers    []string
	rounds     int
	window     time.Duration
	worst      float64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "viewers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == child.Argument {
		return child.Main(context.Background(), os.Stdin, os.Stdout)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "viewers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.tool == "" {
		o.tool = filepath.Join(dir, "udsgrpc")
		build := exec.CommandContext(ctx, "go", "-C", "../cmd/udsgrpc", "build", "-o", o.tool, ".")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build the tool: %w", err)
		}
	}
	worse := 0
	fmt.Printf("%-10s %7s  %-8s %9s  %-31s  %-14s  %-14s %6s\n", "", "", "", "", "throughput", "CPU of", "CPU of", "")
	fmt.Printf("%-10s %7s  %-8s %9s  %5s   %-22s  %-14s  %-14s %6s\n", "transport", "callers", "viewer", "calls/s", "ratio", "error quartiles", "viewer", "looking", "rounds")
	for _, transport := range o.transports {
		for _, callers := range o.callers {
			for _, v := range o.viewers {
				r, err := measure(ctx, o, dir, transport, callers, v)
				if err != nil {
					return fmt.Errorf("%s, %d callers, %s: %w", transport, callers, v, err)
				}
				fmt.Printf("%-10s %7d  %-8s %9.0f  %5.3f ± %5.3f %.3f to %.3f  %5.2f ± %4.2f %%  %5.2f ± %4.2f %% %6d\n", transport, callers, v, r.bare,
					r.ratio.median, r.ratio.err, r.ratio.low, r.ratio.high, 100*r.viewer.median, 100*r.viewer.err, 100*r.added.median, 100*r.added.err, r.rounds)
				if r.ratio.median+r.ratio.err < o.worst {
					worse++
				}
			}
		}
	}
	if worse > 0 {
		return fmt.Errorf("%d ratios are below %.2f", worse, o.worst)
	}
	return nil
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("viewers", flag.ContinueOnError)
	flags.StringVar(&o.tool, "tool", "", "the `program` udsgrpc (default: it is built)")
	callers := flags.String("callers", "1,8,64", "how `many` call at the same time")
	transports := flags.String("transports", "direct,http2", "what `carries` the calls")
	viewers := flags.String("viewers", strings.Join(known, ","), "who looks: `some` of "+strings.Join(known, ", "))
	flags.IntVar(&o.rounds, "rounds", 60, "`number` of windows with each viewer")
	flags.DurationVar(&o.window, "window", 400*time.Millisecond, "the `time` of a window")
	flags.Float64Var(&o.worst, "worst", 0, "fail if a ratio is below `this`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for text := range strings.SplitSeq(*callers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-callers %q: give numbers above zero", text)
		}
		o.callers = append(o.callers, n)
	}
	o.transports, o.viewers = strings.Split(*transports, ","), strings.Split(*viewers, ",")
	for _, t := range o.transports {
		if peers[t] == "" {
			return o, fmt.Errorf("-transports %q: it is direct or http2", t)
		}
	}
	for _, v := range o.viewers {
		if !slices.Contains(known, v) {
			return o, fmt.Errorf("-viewers %q: it is one of %s", v, strings.Join(known, ", "))
		}
	}
	if o.rounds < 1 || flags.NArg() > 0 {
		return o, errors.New("give flags only, and one round at least")
	}
	return o, nil
}
