package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
	"github.com/udsgrpc/udsgrpc/bench/internal/measure"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
	"github.com/udsgrpc/udsgrpc/bench/internal/report"
)

// asProgram, if it is in the environment, makes the test binary the program instead of the tests.
const asProgram = "UDSGRPC_BENCH_PROGRAM"

// TestMain lets the test binary be the children of a measurement, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == child.Argument {
		if err := run(context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Every peer does every workload, in real processes, as shortly as possible.
func TestAllPeersAllWorkloads(t *testing.T) {
	// Under the race detector each of some 200 children would sleep for a second before it exits.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	plan := measure.Plan{
		Peers:     measure.Here(peer.All()),
		Workloads: measure.Workloads(),
		Rounds:    1,
		Times:     measure.Times{Warmup: time.Millisecond, Measure: time.Millisecond},
		Dir:       t.TempDir(),
		Progress:  func(int, int, string) {},
	}
	set, err := plan.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range plan.Workloads {
		for _, m := range w.Metrics {
			for _, p := range plan.Peers {
				cell := set.Find(m.ID, p.Name)
				if p.Lack(w.Name) != "" {
					continue
				}
				if len(cell.Rounds) != 1 {
					t.Errorf("%s of %s has %d values instead of one", m.ID, cell.Peer, len(cell.Rounds))
					continue
				}
				// Resident memory is the kernel's affair, and may shrink meanwhile.
				if v := cell.Rounds[0]; !(v > 0) && m.ID != "idle/rss" {
					t.Errorf("%s of %s is %v", m.ID, cell.Peer, v)
				}
			}
		}
	}
	if err := report.Write(t.TempDir(), set); err != nil {
		t.Error(err)
	}
}

func TestOnly(t *testing.T) {
	o, err := parse([]string{"-only", "udsgrpc|raw/unary-6.*", "-rounds", "2"})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.plan.Peers) != 2 || len(o.plan.Workloads) != 1 || o.plan.Rounds != 2 {
		t.Errorf("got %d peers, %d workloads, %d rounds; want 2, 1, 2", len(o.plan.Peers), len(o.plan.Workloads), o.plan.Rounds)
	}
	if err := o.output(); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(o.out)
	if o.out == published {
		t.Error("a part of a run would replace the published results")
	}
}

func TestOnlyNamesAConditionOrMeansNone(t *testing.T) {
	for only, want := range map[string]string{"/unary.*": "unary unary-deadline unary-64-callers unary-1000-callers unary-1MiB", "/ping-pong@(busy|one-core)": "ping-pong@one-core ping-pong@busy"} {
		o, err := parse([]string{"-only", only})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, w := range o.plan.Workloads {
			names = append(names, w.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %s, want %s", only, got, want)
		}
	}
}

func TestFlagsThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{{"-only", "nobody"}, {"-only", "("}, {"-only", "/("}, {"-rounds", "-1"}, {"quick"},
		{"-worst", "0.97"}, {"-worst", "-1", "-against", "HEAD"}, {"-against", "HEAD", "-only", "ttrpc/"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

func TestBarsOfAMissingFile(t *testing.T) {
	if err := run(t.Context(), []string{"-bars", t.TempDir() + "/results.json"}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "results.json") {
		t.Errorf("got %v", err)
	}
}
