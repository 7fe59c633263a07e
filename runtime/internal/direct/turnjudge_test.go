package direct

import (
	"slices"
	"testing"
	"time"
)

func TestSlowTurnsEndAPhase(t *testing.T) {
	t.Parallel()
	const limit = 100 * time.Microsecond
	quick, slow, hopeless := turnLook{each: limit}, turnLook{each: limit + 1}, turnLook{each: hopelessTurn}
	first, clearing := turnLook{each: hopelessTurn, first: true}, turnLook{each: hopelessTurn, clearing: true}
	times := func(n int, l turnLook) []turnLook { return slices.Repeat([]turnLook{l}, n) }
	for name, tc := range map[string]struct {
		looks []turnLook
		ends  bool
	}{
		"quick":                        {times(100, quick), false},
		"slow":                         {[]turnLook{slow, slow}, true},
		"slow once":                    {[]turnLook{slow, quick, slow, quick}, false},
		"hopeless":                     {[]turnLook{hopeless}, true},
		"slow when proved":             {slices.Concat(times(quickLooks, quick), times(slowLooksProved-1, slow), []turnLook{quick}), false},
		"long slow when proved":        {slices.Concat(times(quickLooks, quick), times(slowLooksProved, slow)), true},
		"hopeless when proved":         {slices.Concat(times(quickLooks, quick), []turnLook{hopeless, slow, hopeless, slow}), false},
		"twice hopeless when proved":   {slices.Concat(times(quickLooks, quick), []turnLook{hopeless, hopeless}), true},
		"quick, but not in a row":      {[]turnLook{quick, quick, slow, quick, slow, slow}, true},
		"connecting":                   {slices.Concat(times(settleLooks, first), []turnLook{quick}), false},
		"connecting for long":          {times(settleLooks+1, first), true},
		"calls from before":            {slices.Concat(times(settleLooks, clearing), []turnLook{quick}), false},
		"calls from before for long":   {times(settleLooks+1, clearing), true},
		"slow after calls from before": {slices.Concat(times(3, clearing), []turnLook{slow, slow}), true},
	} {
		t.Run(name, func(t *testing.T) {
			j, n, ended := turnJudge{limit: limit}, 0, false
			for ; n < len(tc.looks) && !ended; n++ {
				ended = j.slow(tc.looks[n])
			}
			if ended != tc.ends || n != len(tc.looks) {
				t.Errorf("after %d of %d looks the phase has ended: %v, want %v", n, len(tc.looks), ended, tc.ends)
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
