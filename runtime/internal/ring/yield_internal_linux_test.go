package ring

import (
	"testing"
	"time"
)

// share returns how many yields there are in a second, and which part of it they take, if one takes so long.
func share(y *coreYields, takes time.Duration, crowd bool) (n int, part float64) {
	var now, yielding time.Duration
	for now < time.Second {
		y.shared.Store(int64(now))
		if !y.due(now) {
			now += time.Microsecond
			continue
		}
		n++
		now += takes
		yielding += takes
		y.took(takes, now, crowd)
	}
	return n, float64(yielding) / float64(now)
}

func TestCoreIsYieldedOftenUnlessThatCostsMuch(t *testing.T) {
	t.Parallel()
	var y coreYields
	if n, _ := share(&y, time.Microsecond, false); n < 8000 || n > 10000 {
		t.Errorf("%d yields a second, want one every 0.1 ms", n)
	}
	y = coreYields{}
	if n, part := share(&y, 4*time.Millisecond, false); n < 40 || part > 0.3 {
		t.Errorf("%d yields of 4 ms take %.2f of the time, want about a fifth", n, part)
	}
	y.next.Store(0)
	if n, _ := share(&y, time.Microsecond, false); n < 4000 {
		t.Errorf("%d yields a second after some that took long", n)
	}
}

// Whoever waits in a crowd yields at once to the other end, but not to other programs.
func TestCoreIsYieldedAtOnceInACrowd(t *testing.T) {
	t.Parallel()
	var y coreYields
	if n, _ := share(&y, 20*time.Microsecond, true); n < 40_000 {
		t.Errorf("%d yields a second, want one whenever there is nothing to do", n)
	}
	y = coreYields{}
	if n, part := share(&y, 4*time.Millisecond, true); n < 40 || part > 0.3 {
		t.Errorf("%d yields of 4 ms take %.2f of the time, want about a fifth", n, part)
	}
	s := newSpinners()
	for _, followers := range []int32{0, 2*s.procs - 1, 2 * s.procs} {
		s.followers.count.Store(followers)
		if got, want := s.crowd(), followers == 2*s.procs; got != want {
			t.Errorf("with %d followers on %d processors it is a crowd: %v, want %v", followers, s.procs, got, want)
		}
	}
}

func TestCoreIsYieldedWhereSeveralWaitInTurn(t *testing.T) {
	t.Parallel()
	for _, several := range []bool{false, true} {
		s := newSpinners()
		var waiters [2]*waiter
		for i := range waiters {
			looked := 0
			waiters[i] = &waiter{orders: make(chan order, 1), number: uint32(i), ready: func() bool { looked++; return looked%quickLooks == 0 }}
		}
		s.yields.last.Store(waiters[0])
		s.yields.shared.Store(-int64(time.Hour))
		for i := range 100 * quickLooks {
			w := waiters[0]
			if several {
				w = waiters[i%2]
			}
			w.history.slept = sinceStart() // else it is to sleep now
			s.spin(w)
		}
		if yielded := s.yields.next.Load() > 0; yielded != several {
			t.Errorf("several wait: %v; yielded the core: %v", several, yielded)
		}
	}
}
