package report_test

import (
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/report"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// pair has a peer and its counterpart, whose values are given with those of the peer.
func pair(values [][2]float64) *result.Set {
	set := &result.Set{
		Peers:   []result.Peer{{Name: "raw"}, {Name: "udsgrpc", Module: "m"}, {Name: "raw@abc", Counterpart: "raw"}, {Name: "udsgrpc@abc", Module: "m", Counterpart: "udsgrpc"}},
		Metrics: []result.Metric{{ID: "unary/p50", Title: "Unary", Unit: "µs"}},
	}
	for _, v := range values {
		for _, p := range []string{"raw", "udsgrpc"} {
			set.Add("unary/p50", p, v[0])
			set.Add("unary/p50", p+"@abc", v[1])
		}
	}
	return set
}

func TestAgainst(t *testing.T) {
	for name, c := range map[string]struct {
		values [][2]float64
		bound  float64
		worse  int
		want   []string
		last   string
	}{
		"one round as good": {
			[][2]float64{{10, 9}, {10, 8}, {10, 9.8}}, 0.97, 0,
			[]string{"Unary, µs", "0.90  0.80–0.98"},
			"no row is worse: the upper end of the ratio's spread is at least 0.97 in each of 1",
		},
		"worse in all": {
			[][2]float64{{10, 9}, {10, 8}, {10, 9.6}}, 0.97, 1,
			[]string{"0.90  0.80–0.96  WORSE", "too noisy, as it finds the same code worse: unary/p50 of raw"},
			"1 of 1 rows is worse: the upper end of the ratio's spread is below 0.97: unary/p50 of udsgrpc (0.80–0.96)",
		},
		"another bound": {
			[][2]float64{{10, 9}, {10, 8}, {10, 9.6}}, 0.9, 0,
			nil, "no row is worse: the upper end of the ratio's spread is at least 0.90 in each of 1",
		},
		"noisy": {
			[][2]float64{{10, 10}, {10, 30}, {10, 90}}, 0.97, 0,
			[]string{"3.00  1.00–9.00  ~"},
			"no row is worse: the upper end of the ratio's spread is at least 0.97 in each of 1",
		},
		"nothing": {nil, 0.97, 0, []string{"— was not compared: it was left out of this run"}, "no row was compared"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			worse, err := report.Against(&b, pair(c.values), c.bound)
			if err != nil {
				t.Fatal(err)
			}
			if worse != c.worse {
				t.Errorf("%d rows are worse, want %d", worse, c.worse)
			}
			for _, want := range c.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("it lacks %q", want)
				}
			}
			lines := strings.Split(strings.TrimSpace(b.String()), "\n")
			if got := lines[len(lines)-1]; got != c.last {
				t.Errorf("the last line is %q, want %q", got, c.last)
			}
			if t.Failed() {
				t.Log(b.String())
			}
		})
	}
}
