package ring

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newSpinners returns those of a process that may use two cores.
func newSpinners() *Spinners {
	s := NewSpinners()
	s.cores, s.limit = 2, 1
	return s
}

// A goroutine that always finds something after a moment never sleeps. Go itself would let others run after 10 ms.
func TestAGoroutineThatSpinsLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := newSpinners()
	looked := 0
	w := &waiter{ready: func() bool { looked++; return looked%quickLooks == 0 }}
	var stop atomic.Bool
	var spinning sync.WaitGroup
	spinning.Go(func() {
		for !stop.Load() {
			if !s.spin(w) {
				w.history.slept = sinceStart() // as after sleeping
			}
		}
	})
	var late []time.Duration
	for range 50 {
		begin := time.Now()
		<-time.NewTimer(time.Millisecond).C
		late = append(late, time.Since(begin)-time.Millisecond)
	}
	stop.Store(true)
	spinning.Wait()
	slices.Sort(late)
	if median := late[len(late)/2]; median > 5*time.Millisecond {
		t.Errorf("timers are late by %v", median)
	}
}

func TestSpinningInVainIsDoneMoreSeldom(t *testing.T) {
	t.Parallel()
	s := newSpinners()
	looked := 0
	w := &waiter{ready: func() bool { looked++; return false }}
	spun := 0
	for range 200 {
		w.history.slept = sinceStart()
		before := looked
		s.spin(w)
		if looked > before+1 {
			spun++
		}
	}
	if spun < 3 || spun > 12 {
		t.Errorf("spun %d times in 200 waits, want about 10", spun)
	}
}

func TestOneCoreIsNotSpunOn(t *testing.T) {
	t.Parallel()
	s := newSpinners()
	s.cores = 1
	if s.Worthwhile() || s.mayWait() {
		t.Error("spins on one core")
	}
}

// A hostile end may change the word that a goroutine waits for, and never write anything.
func TestBlockingEndsWhateverTheOtherEndWrites(t *testing.T) {
	t.Parallel()
	s := newSpinners()
	s.blockers = 1
	var word atomic.Uint32
	w := &waiter{flag: &word, ready: func() bool { word.Add(1); return false }}
	ended := make(chan bool)
	go func() { ended <- s.block(w) }()
	select {
	case ready := <-ended:
		if ready {
			t.Error("there is something")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	if n := word.Load(); n != 0 {
		t.Errorf("the word is still %#x", n)
	}
}

func TestHowLongToSpinFollowsWhatWakingCosts(t *testing.T) {
	t.Parallel()
	s := newSpinners()
	if s.howLong() != firstSpin {
		t.Errorf("before anything is known: %v", s.howLong())
	}
	for range 1000 {
		s.woke(15 * time.Microsecond)
	}
	if got := s.howLong(); got < 28*time.Microsecond || got > 31*time.Microsecond {
		t.Errorf("where waking takes 15 µs: %v", got)
	}
	s.woke(900 * time.Microsecond) // the machine was busy
	if got := s.howLong(); got > 35*time.Microsecond {
		t.Errorf("after one that took long: %v", got)
	}
	s.woke(-time.Second) // the clock was set, or the other end says nonsense
	s.woke(time.Hour)
	if got := s.howLong(); got > 35*time.Microsecond {
		t.Errorf("after nonsense: %v", got)
	}
	for range 1000 {
		s.woke(900 * time.Microsecond)
	}
	if got := s.howLong(); got != maxSpin {
		t.Errorf("where waking takes 900 µs: %v", got)
	}
	for range 1000 {
		s.woke(time.Microsecond)
	}
	if got := s.howLong(); got != minSpin {
		t.Errorf("where waking takes 1 µs: %v", got)
	}
}
