package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/measure"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// published is where the results of a whole run go.
const published = "../docs/benchmarks"

// options are the flags.
type options struct {
	out   string
	bars  string
	whole bool // all peers and workloads, at full length
	plan  measure.Plan
}

func parse(args []string) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "fewer and shorter rounds: under a minute, and noisier")
	flags.StringVar(&o.out, "out", "", "`directory` to write (default ../docs/benchmarks; with -quick or -only a new one)")
	flags.StringVar(&only, "only", "", "measure `peers/workloads` only: two regular expressions, as in udsgrpc|ttrpc/unary")
	flags.IntVar(&o.plan.Rounds, "rounds", 0, "`number` of rounds (default 9, with -quick 3)")
	flags.StringVar(&o.bars, "bars", "", "measure nothing, but compare the results in `results.json` with what this project wants to reach")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("do not understand %q: give flags only", flags.Args())
	}
	if o.plan.Rounds < 0 {
		return o, fmt.Errorf("%d rounds: give a number above zero", o.plan.Rounds)
	}
	o.plan.Times = measure.Times{Warmup: 40 * time.Millisecond, Measure: 140 * time.Millisecond}
	rounds := 9
	if *quick {
		o.plan.Times = measure.Times{Warmup: 20 * time.Millisecond, Measure: 45 * time.Millisecond}
		rounds = 3
	}
	if o.plan.Rounds == 0 {
		o.plan.Rounds = rounds
	}
	o.whole = !*quick && only == ""
	return o, choose(&o.plan, only)
}

// choose takes the peers and workloads that only matches.
func choose(plan *measure.Plan, only string) error {
	peers, workloads, _ := strings.Cut(only, "/")
	matchPeer, err := regexp.Compile("^(" + peers + ")$")
	if err != nil {
		return fmt.Errorf("peers of -only: %w", err)
	}
	matchWorkload, err := regexp.Compile("^(" + workloads + ")$")
	if err != nil {
		return fmt.Errorf("workloads of -only: %w", err)
	}
	candidates := peer.All()
	if peers != "" {
		candidates = append(candidates, peer.Settings()...)
	}
	for _, p := range measure.Here(candidates) {
		if peers == "" || matchPeer.MatchString(p.Name) {
			plan.Peers = append(plan.Peers, p)
		}
	}
	for _, w := range measure.Workloads() {
		if workloads == "" || matchWorkload.MatchString(w.Name) {
			plan.Workloads = append(plan.Workloads, w)
		}
	}
	if len(plan.Peers) == 0 || len(plan.Workloads) == 0 {
		return fmt.Errorf("-only %s matches nothing: give peers/workloads by their names in the results", only)
	}
	return nil
}

// output settles where to write, before minutes are spent. Only a whole run replaces the published
// results.
func (o *options) output() error {
	switch {
	case o.out != "":
		return nil
	case !o.whole:
		dir, err := os.MkdirTemp("", "udsgrpc-bench-")
		o.out = dir
		return err
	}
	if _, err := os.Stat(filepath.Dir(published)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no directory for %s: run the benchmark in its directory, or give -out", published)
	}
	o.out = published
	return nil
}
