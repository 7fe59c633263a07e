package result

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
)

// Bar is how much better than another peer this project wants to be, as a ratio. Where Other is empty, the
// metric itself is a ratio.
type Bar struct {
	Metric, Other string
	Ratio         float64
}

const (
	ours    = "udsgrpc"
	grpcUDS = "grpc-uds"
	ttrpc   = "ttrpc"
	drpc    = "drpc"
	raw     = "raw"
)

// Bars returns all bars. Where less is better, the ratio has to be at most that of the bar; where
// more is better, at least.
func Bars() []Bar {
	return []Bar{
		{"unary/p50", grpcUDS, 0.20},
		{"unary/p50", ttrpc, 0.33},
		{"unary/p50", drpc, 0.33},
		{"unary/p50", raw, 0.40},
		{"unary-deadline/p50", grpcUDS, 0.25},
		{"unary-deadline/p50", ttrpc, 0.40},
		{"unary-deadline/p50", drpc, 0.40},
		{"unary-deadline/p50", raw, 0.50},
		{"unary/cpu", grpcUDS, 0.30},
		{"unary/cpu", ttrpc, 0.50},
		{"unary/cpu", drpc, 0.50},
		{"unary/cpu", raw, 1.4},
		{"unary/allocs", drpc, 1},
		{"unary-64-callers", grpcUDS, 3.0},
		{"unary-64-callers", ttrpc, 1.4},
		{"unary-64-callers", drpc, 1.4},
		{"unary-64-callers", raw, 1},
		{"unary-1000-callers", ttrpc, 1.5},
		{"unary-1MiB", grpcUDS, 2.0},
		{"unary-1MiB", ttrpc, 1.6},
		{"unary-1MiB", drpc, 1.6},
		{"unary-1MiB", raw, 1},
		{"ping-pong/p50", grpcUDS, 0.20},
		{"ping-pong/p50", ttrpc, 0.33},
		{"ping-pong/p50", drpc, 0.33},
		{"ping-pong/p50", raw, 0.35},
		{"server-stream", grpcUDS, 5},
		{"server-stream", ttrpc, 1.5},
		{"server-stream", drpc, 1.5},
		{"client-stream", grpcUDS, 5},
		{"client-stream", ttrpc, 1.5},
		{"client-stream", drpc, 1.5},
		{"dial/p50", ttrpc, 1},
		{"idle/heap", grpcUDS, 0.33},
		{"files/ratio-1", "", 1.6},
		{"memory/ratio", "", 5},
	}
}

// Verdict is what a run says of a bar.
type Verdict struct {
	Bar
	MoreIsBetter bool
	Measured     Summary
	Known        bool // the run has both peers
	Passed       bool
}

// Judge compares the set with every bar.
func (s *Set) Judge(bars []Bar) []Verdict {
	var verdicts []Verdict
	for _, b := range bars {
		v := Verdict{Bar: b, MoreIsBetter: s.MoreIsBetter(b.Metric)}
		if b.Other == "" {
			v.Measured, v.Known = s.Value(b.Metric, ours)
		} else {
			v.Measured, v.Known = s.Ratio(b.Metric, ours, b.Other)
		}
		if v.MoreIsBetter {
			v.Passed = v.Known && v.Measured.Median >= b.Ratio
		} else {
			v.Passed = v.Known && v.Measured.Median <= b.Ratio
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// WriteVerdicts writes a line for each bar and returns how many were not passed.
func WriteVerdicts(w io.Writer, verdicts []Verdict) (failed int, err error) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "verdict\tmetric\tagainst\tbar\tmeasured\tmin–max")
	for _, v := range verdicts {
		if !v.Passed {
			failed++
		}
		sign := "<="
		if v.MoreIsBetter {
			sign = ">="
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s %.2f\t", v.word(), v.Metric, cmp.Or(v.Other, "—"), sign, v.Ratio)
		if v.Known {
			fmt.Fprintf(t, "%.2f\t%.2f–%.2f", v.Measured.Median, v.Measured.Min, v.Measured.Max)
		} else {
			fmt.Fprint(t, "—\t—")
		}
		fmt.Fprintln(t)
	}
	return failed, t.Flush()
}

func (v Verdict) word() string {
	word := "FAIL"
	switch {
	case !v.Known:
		return "not measured"
	case v.Passed:
		word = "pass"
	}
	if v.Measured.Noisy() {
		word += " ~"
	}
	return word
}
