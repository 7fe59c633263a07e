package ring

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newBlocking returns Spinners that let one goroutine wait in a futex, and a waiter for the other end to set ready.
func newBlocking() (s *Spinners, w *waiter, ready *atomic.Bool) {
	s = newSpinners()
	s.blockers = 1
	ready = new(atomic.Bool)
	w = &waiter{flag: new(atomic.Uint32), rang: new(atomic.Uint32), ready: ready.Load}
	return s, w, ready
}

func TestBlockedGoroutineIsWokenWithoutADoorbell(t *testing.T) {
	t.Parallel()
	s, w, ready := newBlocking()
	other := &Conn{} // without a socket
	var rung sync.WaitGroup
	rung.Go(func() {
		for {
			if w.flag.Load()&blocked != 0 {
				ready.Store(true)
				if other.ring(w.flag, w.rang)&blocked != 0 {
					return
				}
				ready.Store(false) // it had given up
			}
		}
	})
	for !s.block(w) {
		w.history.blockSkip = 0
	}
	rung.Wait()
	if w.flag.Load() != 0 {
		t.Error("still says that it sleeps")
	}
}

func TestBlockingInVainEndsAndIsDoneMoreSeldom(t *testing.T) {
	t.Parallel()
	s, w, _ := newBlocking()
	begin, blocked := time.Now(), 0
	for range 200 {
		before := w.history.blockMisses
		if s.block(w) {
			t.Fatal("ready")
		}
		blocked += w.history.blockMisses - before
	}
	if blocked < 3 || blocked > 12 {
		t.Errorf("blocked %d times in 200 waits, want about 9", blocked)
	}
	if took := time.Since(begin); took < 3*blockFor {
		t.Errorf("%d times took only %v", blocked, took)
	}
}

func TestFewBlockAtATime(t *testing.T) {
	t.Parallel()
	s, w, ready := newBlocking()
	ready.Store(true)
	s.blocking.Add(1)
	if s.block(w) {
		t.Error("blocked beside another")
	}
	s.blocking.Add(-1)
	if !s.block(w) {
		t.Error("not blocked after it")
	}
	if s.blocking.Load() != 0 {
		t.Errorf("%d block", s.blocking.Load())
	}
}

func TestNobodyLooksWhereThereAreBetterThingsToDo(t *testing.T) {
	t.Parallel()
	s := newSpinners()
	if !s.mayWait() {
		t.Error("does not look")
	}
	s.Crowded = func() bool { return true }
	if s.mayWait() {
		t.Error("looks")
	}
}

// A server whose client has slept at its socket does not look for the next call, either.
func TestServerWaitsAsItsClientDoes(t *testing.T) {
	t.Parallel()
	for end, follows := range map[End]bool{Server: true, Client: false} {
		m, fd, err := New()
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		defer m.Close()
		c := NewConn(m, end, Socket{Raw: noSocket{}}, newSpinners())
		for _, tc := range []struct {
			asleep uint32
			sleeps bool
		}{{1, true}, {blocked | 1, false}, {1, true}, {0, false}} {
			c.out.readerSleeps.Store(tc.asleep)
			c.ringReader()
			if got, want := c.otherSleeps.Load(), tc.sleeps && follows; got != want {
				t.Errorf("end %d, word %#x: sleeps as the other end: %v, want %v", end, tc.asleep, got, want)
			}
		}
	}
}

// noSocket is a socket that takes doorbells.
type noSocket struct{}

func (noSocket) Control(func(uintptr)) error    { return nil }
func (noSocket) Read(func(uintptr) bool) error  { return nil }
func (noSocket) Write(func(uintptr) bool) error { return nil }
