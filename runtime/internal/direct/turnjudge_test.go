package direct

import (
	"testing"
	"time"
)

func TestSlowTurnsEndAPhase(t *testing.T) {
	t.Parallel()
	const limit = 100 * time.Microsecond
	quick, slow, hopeless := turnLook{each: limit}, turnLook{each: limit + 1}, turnLook{each: hopelessTurn}
	first, clearing := turnLook{each: hopelessTurn, first: true}, turnLook{each: hopelessTurn, clearing: true}
	times := func(n int, l turnLook) (all []turnLook) {
		for range n {
			all = append(all, l)
		}
		return all
	}
	for name, tc := range map[string]struct {
		looks [][]turnLook
		ends  bool
	}{
		"quick":                        {[][]turnLook{times(100, quick)}, false},
		"slow":                         {[][]turnLook{{slow, slow}}, true},
		"slow once":                    {[][]turnLook{{slow, quick, slow, quick}}, false},
		"hopeless":                     {[][]turnLook{{hopeless}}, true},
		"slow when proved":             {[][]turnLook{times(quickLooks, quick), times(slowLooksProved-1, slow), {quick}}, false},
		"long slow when proved":        {[][]turnLook{times(quickLooks, quick), times(slowLooksProved, slow)}, true},
		"hopeless when proved":         {[][]turnLook{times(quickLooks, quick), {hopeless, slow, hopeless, slow}}, false},
		"twice hopeless when proved":   {[][]turnLook{times(quickLooks, quick), {hopeless, hopeless}}, true},
		"quick, but not in a row":      {[][]turnLook{{quick, quick, slow, quick, slow, slow}}, true},
		"connecting":                   {[][]turnLook{times(settleLooks, first), {quick}}, false},
		"connecting for long":          {[][]turnLook{times(settleLooks+1, first)}, true},
		"calls from before":            {[][]turnLook{times(settleLooks, clearing), {quick}}, false},
		"calls from before for long":   {[][]turnLook{times(settleLooks+1, clearing)}, true},
		"slow after calls from before": {[][]turnLook{times(3, clearing), {slow, slow}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			j, n, last := turnJudge{limit: limit}, 0, 0
			ended := false
			for _, looks := range tc.looks {
				last += len(looks)
				for _, l := range looks {
					if !ended {
						ended = j.slow(l)
						n++
					}
				}
			}
			if ended != tc.ends || n != last {
				t.Errorf("after %d of %d looks the phase has ended: %v, want %v", n, last, ended, tc.ends)
			}
		})
	}
}

func TestTurnsMayBeALittleSlowerThanNone(t *testing.T) {
	t.Parallel()
	for rival, want := range map[time.Duration]time.Duration{
		80 * time.Microsecond: 100 * time.Microsecond,
		longestTurn:           longestTurn,
		time.Hour:             longestTurn,
	} {
		if got := quickEnough(rival); got != want {
			t.Errorf("beside calls of %v a turn may take %v, want %v", rival, got, want)
		}
	}
}
