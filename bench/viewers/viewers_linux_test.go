package main

import (
	"context"
	"os"
	"path/filepath"
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
	// The machine gets slower, and who looks costs a tenth.
	c := compare([]float64{110, 90, 70, 50}, []float64{90, 72, 54})
	if c.ratio != 0.9 || c.low != 0.9 || c.high != 0.9 || c.err != 0 || c.bare != 80 || c.rounds != 3 {
		t.Errorf("it is %+v", c)
	}
	if c := compare([]float64{100, 100, 100}, []float64{80, 120}); c.ratio != 1 || c.err <= 0.2 {
		t.Errorf("of values that are far apart it is %+v", c)
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
			if err != nil || r.rounds != 1 || r.bare <= 0 || r.ratio <= 0 {
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
	if o, err := parse(nil); err != nil || len(o.callers) != 3 || len(o.viewers) != 5 || len(o.transports) != 2 {
		t.Errorf("without flags it is %+v, %v", o, err)
	}
}
