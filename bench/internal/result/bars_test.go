package result_test

import (
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

func TestJudge(t *testing.T) {
	set := &result.Set{Metrics: []result.Metric{{ID: "time"}, {ID: "speed", MoreIsBetter: true}}}
	for range 3 {
		set.Add("time", "udsgrpc", 10)
		set.Add("time", "raw", 10)
		set.Add("speed", "udsgrpc", 30)
		set.Add("speed", "raw", 10)
	}
	for _, c := range []struct {
		bar  result.Bar
		want string
	}{
		{result.Bar{Metric: "time", Other: "raw", Ratio: 1.0}, "pass     time"},
		{result.Bar{Metric: "time", Other: "raw", Ratio: 0.9}, "FAIL     time"},
		{result.Bar{Metric: "speed", Other: "raw", Ratio: 3.0}, "pass     speed"},
		{result.Bar{Metric: "speed", Other: "raw", Ratio: 3.1}, "FAIL     speed"},
		{result.Bar{Metric: "time", Ratio: 10}, "pass     time"},
		{result.Bar{Metric: "time", Ratio: 9.9}, "FAIL     time"},
		{result.Bar{Metric: "nothing", Ratio: 9.9}, "not measured  nothing"},
		{result.Bar{Metric: "speed", Other: "nobody", Ratio: 3.1}, "not measured  speed"},
	} {
		var b strings.Builder
		failed, err := result.WriteVerdicts(&b, set.Judge([]result.Bar{c.bar}))
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(b.String(), "\n")
		if !strings.HasPrefix(line, c.want) {
			t.Errorf("%+v: got %q, want %q", c.bar, line, c.want)
		}
		if passed := strings.HasPrefix(c.want, "pass"); passed != (failed == 0) {
			t.Errorf("%+v: %d failed", c.bar, failed)
		}
	}
}
