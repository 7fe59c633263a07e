package result_test

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		name   string
		rounds []float64
		want   result.Summary
		noisy  bool
	}{
		{"one round", []float64{7}, result.Summary{Median: 7, Min: 7, Max: 7, Rounds: 1}, true},
		{"odd, not sorted", []float64{30, 10, 20}, result.Summary{Median: 20, Min: 10, Max: 30, IQR: 10, Rounds: 3}, true},
		{"even", []float64{10, 11, 12, 13}, result.Summary{Median: 11.5, Min: 10, Max: 13, IQR: 1.5, Rounds: 4}, false},
		{"one outlier", []float64{10, 10, 99, 10, 10}, result.Summary{Median: 10, Min: 10, Max: 99, Rounds: 5}, false},
		{"all zero", []float64{0, 0, 0}, result.Summary{Rounds: 3}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := result.Summarize(c.rounds)
			if !ok || got != c.want || got.Noisy() != c.noisy {
				t.Errorf("got %+v, noisy %t; want %+v, noisy %t", got, got.Noisy(), c.want, c.noisy)
			}
		})
	}
	if _, ok := result.Summarize(nil); ok {
		t.Error("no rounds have a summary")
	}
}

// In the second round the machine was twice as slow, which changes no ratio.
func TestRatioIsTakenRoundByRound(t *testing.T) {
	set := &result.Set{}
	for i, slow := range []float64{1, 2, 1} {
		set.Add("m", "ours", slow*2)
		set.Add("m", "theirs", slow*8)
		if i == 0 {
			set.Add("m", "once", 4)
		}
	}
	got, ok := set.Ratio("m", "ours", "theirs")
	if want := (result.Summary{Median: 0.25, Min: 0.25, Max: 0.25, Rounds: 3}); !ok || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, _ := set.Ratio("m", "ours", "once"); got.Rounds != 1 || !got.Noisy() {
		t.Errorf("with one common round: got %+v, want one round, and noisy", got)
	}
	if _, ok := set.Ratio("m", "ours", "nobody"); ok {
		t.Error("there is a ratio to a peer that was not measured")
	}
}

func TestRatioToZeroIsLeftOut(t *testing.T) {
	set := &result.Set{}
	set.Add("m", "ours", 1)
	set.Add("m", "theirs", 0)
	if got, ok := set.Ratio("m", "ours", "theirs"); ok {
		t.Errorf("got %+v, want none", got)
	}
}

func TestWriteAndRead(t *testing.T) {
	set := &result.Set{
		Facts:   []result.Fact{{Name: "cores", Value: "2"}},
		Peers:   []result.Peer{{Name: "raw", Settings: "none"}},
		Metrics: []result.Metric{{ID: "m", Title: "M", Unit: "µs", MoreIsBetter: true}},
	}
	set.Add("m", "raw", math.Pi)
	set.Lack("n", "raw", "it has none")
	var b bytes.Buffer
	if err := set.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := result.Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, set) {
		t.Errorf("got %+v, want %+v", got, set)
	}
	if got.Find("n", "raw").Lacks == "" || got.Find("m", "other").Lacks == "" {
		t.Error("a cell without values does not say why")
	}
}
