package ring

import (
	"testing"
	"time"
)

// share returns how many yields there are in a second, and which part of it they take, if one takes so long.
func share(y *coreYields, takes time.Duration) (n int, part float64) {
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
		y.took(takes, now)
	}
	return n, float64(yielding) / float64(now)
}

func TestCoreIsYieldedOftenUnlessThatCostsMuch(t *testing.T) {
	t.Parallel()
	var y coreYields
	if n, _ := share(&y, time.Microsecond); n < 8000 || n > 10000 {
		t.Errorf("%d yields a second, want one every 0.1 ms", n)
	}
	y = coreYields{}
	if n, part := share(&y, 4*time.Millisecond); n < 40 || part > 0.3 {
		t.Errorf("%d yields of 4 ms take %.2f of the time, want about a fifth", n, part)
	}
	y.next.Store(0)
	if n, _ := share(&y, time.Microsecond); n < 4000 {
		t.Errorf("%d yields a second after some that took long", n)
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
