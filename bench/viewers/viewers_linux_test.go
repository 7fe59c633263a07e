package main

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == child.Argument {
		if err := child.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

func TestEachWindowIsComparedWithThoseBesideIt(t *testing.T) {
	t.Parallel()
	of := func(cpuPerCall, viewer time.Duration, rates ...int) (windows []window) {
		for _, calls := range rates {
			windows = append(windows, window{calls: calls, length: time.Second, cpu: cpuPerCall * time.Duration(calls), viewer: viewer})
		}
		return windows
	}
	// The machine gets slower, and who looks costs a tenth.
	c := compare(of(0, 0, 110, 90, 70, 50), of(0, 0, 90, 72, 54))
	if c.ratio != (typical{0.9, 0, 0.9, 0.9}) || c.bare != 80 || c.rounds != 3 {
		t.Errorf("it is %+v", c)
	}
	if c := compare(of(0, 0, 100, 100, 100), of(0, 0, 80, 120)); c.ratio.median != 1 || c.ratio.err <= 0.2 {
		t.Errorf("of values that are far apart it is %+v", c)
	}
	// The viewer takes 10 ms of a second, and 100 calls take 50 ms more.
	cores := float64(runtime.NumCPU())
	c = compare(of(time.Millisecond, 0, 100, 100), of(1500*time.Microsecond, 10*time.Millisecond, 100))
	if !near(c.viewer.median, 0.01/cores) || !near(c.added.median, 0.06/cores) {
		t.Errorf("of the cores it takes %v and %v", c.viewer.median, c.added.median)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

func TestCPUOfAViewerIsCounted(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := viewer{cmd: cmd}
	for used := time.Duration(0); used < 10*time.Millisecond; { // or until the test is ended
		var err error
		if used, err = v.cpu(); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := v.cpu(); err == nil {
		t.Error("a process that has ended has a clock")
	}
	if used, err := (viewer{}).cpu(); used != 0 || err != nil {
		t.Errorf("nobody has used %v, %v", used, err)
	}
}

// Each viewer looks for as long as a window takes, and is gone then.
func TestEachViewerIsMeasured(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "udsgrpc")
	seen := filepath.Join(t.TempDir(), "seen")
	script := "#!/bin/sh\necho \"$*\" >>" + seen + "\necho HEADING\nexec sleep 1000\n"
	if err := os.WriteFile(tool, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, transport := range []string{"direct", "http2"} {
		for _, who := range known {
			r, err := measure(t.Context(), options{tool: tool, rounds: 1, window: time.Millisecond}, t.TempDir(), transport, 2, who)
			if err != nil || r.rounds != 1 || r.bare <= 0 || r.ratio.median <= 0 {
				t.Errorf("%s of %s: %+v, %v", who, transport, r, err)
			}
		}
	}
	said, err := os.ReadFile(seen)
	if err != nil || strings.Count(string(said), "tap ") != 6 || strings.Count(string(said), "top ") != 2 {
		t.Errorf("the tool is called with %q, %v", said, err)
	}
	if err := os.WriteFile(tool, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := measure(t.Context(), options{tool: tool, rounds: 1, window: time.Millisecond}, t.TempDir(), "direct", 1, "tap"); err == nil {
		t.Error("a viewer that ends at once is measured")
	}
}

func TestViewersAreToldWhatToMeasure(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"-callers 0", "-callers x", "-transports udp", "-viewers me", "-rounds 0", "more"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s is understood", args)
		}
	}
	if o, err := parse(nil); err != nil || len(o.callers) != 3 || len(o.viewers) != 6 || len(o.transports) != 2 {
		t.Errorf("without flags it is %+v, %v", o, err)
	}
}
