package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/measure"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// published is where the results of a whole run go.
const published = "../docs/benchmarks"

// options are the flags.
type options struct {
	out     string
	made    bool // out is a new directory
	bars    string
	against string  // the other revision
	worst   float64 // what rows have to reach against it, or else the status is 1; zero for nothing
	whole   bool    // all peers and workloads, at full length
	plan    measure.Plan
}

func parse(args []string) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "fewer and shorter rounds: under a minute, and noisier")
	flags.StringVar(&o.out, "out", "", "`directory` to write (default ../docs/benchmarks; with -quick, -only or -against a new one)")
	flags.StringVar(&only, "only", "", "measure `peers/workloads` only: two regular expressions, as in udsgrpc|ttrpc/unary")
	flags.IntVar(&o.plan.Rounds, "rounds", 0, "`number` of rounds (default 9, with -quick 3)")
	flags.StringVar(&o.bars, "bars", "", "measure nothing, but compare the results in `results.json` with what this project wants to reach")
	flags.StringVar(&o.against, "against", "", "build another `revision` and compare with it: the peers of this project, and raw as a yardstick of the noise, or those of -only")
	flags.Float64Var(&o.worst, "worst", 0, "with -against: fail if a row is worse, its gain below this `ratio` (default: 0.97, and no failure)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("do not understand %q: give flags only", flags.Args())
	}
	if o.plan.Rounds < 0 {
		return o, fmt.Errorf("%d rounds: give a number above zero", o.plan.Rounds)
	}
	if o.worst < 0 || o.worst > 0 && o.against == "" {
		return o, errors.New("-worst is a ratio above zero, and for -against only")
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
	o.whole = !*quick && only == "" && o.against == ""
	return o, o.choose(only)
}

// choose takes the peers and workloads that only matches.
func (o *options) choose(only string) error {
	peers, workloads, _ := strings.Cut(only, "/")
	if peers == "" && o.against != "" {
		peers = comparable
	}
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
			o.plan.Peers = append(o.plan.Peers, p)
		}
	}
	if workloads == "" {
		o.plan.Workloads = measure.Workloads()
	} else {
		for _, w := range measure.All() {
			if w.Conditional() == strings.Contains(workloads, "@") && matchWorkload.MatchString(w.Name) {
				o.plan.Workloads = append(o.plan.Workloads, w)
			}
		}
	}
	switch {
	case len(o.plan.Peers) == 0 || len(o.plan.Workloads) == 0:
		return fmt.Errorf("-only %s matches nothing: give peers/workloads by their names in the results", only)
	case o.against != "" && !slices.ContainsFunc(o.plan.Peers, isComparable):
		return fmt.Errorf("-only %s leaves nothing to compare with another revision: it needs one of %s", only, comparable)
	}
	return nil
}

// comparable are the peers that are compared with themselves in another revision: this project's own,
// and one whose code is the same.
const comparable = "raw|udsgrpc|udsgrpc-http2"

func isComparable(p measure.Peer) bool {
	return slices.Contains(strings.Split(comparable, "|"), p.Name)
}

// output settles where to write, before minutes are spent. Only a whole run replaces the published
// results.
func (o *options) output() error {
	switch {
	case o.out != "":
		return nil
	case !o.whole:
		dir, err := os.MkdirTemp("", "udsgrpc-bench-")
		o.out, o.made = dir, err == nil
		return err
	}
	if _, err := os.Stat(filepath.Dir(published)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no directory for %s: run the benchmark in its directory, or give -out", published)
	}
	o.out = published
	return nil
}
