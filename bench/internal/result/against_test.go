package result_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

func TestAgainst(t *testing.T) {
	set := &result.Set{
		Peers: []result.Peer{
			{Name: "raw"},
			{Name: "udsgrpc", Module: "ours"},
			{Name: "raw@abc", Counterpart: "raw"},
			{Name: "udsgrpc@abc", Module: "ours", Counterpart: "udsgrpc"},
		},
		Metrics: []result.Metric{{ID: "time"}, {ID: "speed", MoreIsBetter: true}, {ID: "memory"}, {ID: "herd"}},
	}
	for _, slow := range []float64{1, 3, 2} { // the machine: it changes no gain
		set.Add("time", "raw", 5*slow)
		set.Add("time", "raw@abc", 5*slow)
		set.Add("time", "udsgrpc", 10*slow)
		set.Add("time", "udsgrpc@abc", 20*slow)
		set.Add("speed", "udsgrpc", 10/slow)
		set.Add("speed", "udsgrpc@abc", 20/slow)
	}
	for _, shrunk := range []float64{-3, 0, 4} {
		set.Add("memory", "udsgrpc", 8)
		set.Add("memory", "udsgrpc@abc", shrunk)
	}
	set.Add("herd", "udsgrpc", 8)
	set.Lack("herd", "udsgrpc@abc", "abc has no herd")

	type key struct{ peer, metric string }
	rows := map[key]result.Row{}
	for _, r := range set.Against() {
		if r.Counterpart != r.Peer+"@abc" || r.Yardstick != (r.Peer == "raw") {
			t.Errorf("got %+v", r)
		}
		rows[key{r.Peer, r.Metric.ID}] = r
	}
	if len(rows) != 8 {
		t.Errorf("got %d rows, want one for each of 2 peers and 4 metrics", len(rows))
	}
	for k, want := range map[key]result.Summary{
		{"raw", "time"}:       {Median: 1, Min: 1, Max: 1, Rounds: 3},
		{"udsgrpc", "time"}:   {Median: 2, Min: 2, Max: 2, Rounds: 3},       // half the time
		{"udsgrpc", "speed"}:  {Median: 0.5, Min: 0.5, Max: 0.5, Rounds: 3}, // half the speed
		{"udsgrpc", "memory"}: {Median: 0.5, Min: 0.5, Max: 0.5, Rounds: 1}, // twice the memory
	} {
		if r := rows[k]; r.Gain != want || r.Lacks != "" {
			t.Errorf("%v: got %+v %q, want %+v", k, r.Gain, r.Lacks, want)
		}
	}
	if got := rows[key{"udsgrpc", "herd"}].Lacks; got != "abc has no herd" {
		t.Errorf("got %q", got)
	}
	if got := rows[key{"raw", "speed"}].Lacks; got == "" {
		t.Error("what was not measured has a gain")
	}
}

// The upper and the lower end are those of the gain, not of the values.
func TestGainHasTheSpreadOfTheRatios(t *testing.T) {
	set := &result.Set{
		Peers:   []result.Peer{{Name: "here"}, {Name: "there", Counterpart: "here"}},
		Metrics: []result.Metric{{ID: "time"}},
	}
	for i, there := range []float64{8, 10, 9, 12} {
		set.Add("time", "there", there)
		set.Add("time", "here", []float64{10, 10, 10, 10}[i])
	}
	want := result.Summary{Median: 0.95, Min: 0.8, Max: 1.2, Rounds: 4}
	if got := set.Against()[0].Gain; got.Median != want.Median || got.Min != want.Min || got.Max != want.Max || got.Rounds != want.Rounds {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
