package ring

import (
	"sync/atomic"
	"time"
)

// With many connections, one waiting goroutine spins and looks for the others, too: they follow it. They have not told
// their other ends that they sleep, so nobody rings for them; the leader wakes them, which is no system call. It
// leads as long as it waits itself, and then passes that on to one that follows it.
//
// Only who leads takes a waiter out of its place, and only what is in a place is looked at. So what the leader looks
// at is there: a goroutine that follows uses its memory until it was taken out.

const (
	// places is how many can follow. The rest sleep.
	places = 256
	// followAtMost is how long a goroutine follows before it sleeps. While it follows, it does not see that its socket
	// has ended.
	followAtMost = 5 * time.Millisecond
	// rest is how long the leader sleeps after a quantum where all of Go is busy with those that follow it.
	rest = 10 * time.Microsecond
)

// order is what a goroutine that follows is to do.
type order int8

const (
	goOn order = iota // there is nothing to wait for any more
	lead              // and look for the others
	goToSleep
)

// followers are the goroutines that follow.
type followers struct {
	led   atomic.Bool // somebody leads
	count atomic.Int32
	high  atomic.Int32 // no place from here on was ever taken
	place [places]atomic.Pointer[waiter]
	next  atomic.Uint32 // numbers waiters
}

// enter puts w into a place. It reports false if there is none.
func (f *followers) enter(w *waiter, now time.Duration) bool {
	w.since = now
	for i := range uint32(8) {
		at := (w.number + i) % places
		if f.place[at].Load() == nil && f.place[at].CompareAndSwap(nil, w) {
			f.count.Add(1)
			for high := f.high.Load(); high <= int32(at) && !f.high.CompareAndSwap(high, int32(at)+1); high = f.high.Load() {
			}
			return true
		}
	}
	return false
}

// each calls use for all that follow, until it returns false.
func (f *followers) each(use func(at int, w *waiter) bool) {
	for at := range f.high.Load() {
		if w := f.place[at].Load(); w != nil && !use(int(at), w) {
			return
		}
	}
}

// dismiss takes a waiter out of its place and gives it an order. Only who leads does that.
func (f *followers) dismiss(at int, w *waiter, o order) {
	f.place[at].Store(nil)
	f.count.Add(-1)
	w.orders <- o
}

// rouse lets those go on that need not wait any more. It reports whether there were any.
func (f *followers) rouse(now time.Duration) (some bool) {
	f.each(func(at int, w *waiter) bool {
		if w.ready() {
			f.dismiss(at, w, goOn)
			some = true
		} else if now-w.since > followAtMost {
			f.dismiss(at, w, goToSleep)
		}
		return true
	})
	return some
}

// passOn is called by who leads and has something else to do.
func (f *followers) passOn() {
	for {
		passed := false
		if f.count.Load() > 0 {
			f.each(func(at int, w *waiter) bool {
				f.dismiss(at, w, lead)
				passed = true
				return false
			})
		}
		if passed || f.end() {
			return
		}
	}
}

// disband is called by who leads and goes to sleep: there is little to do.
func (f *followers) disband() {
	for {
		if f.count.Load() > 0 {
			f.each(func(at int, w *waiter) bool {
				f.dismiss(at, w, goToSleep)
				return true
			})
		}
		if f.end() {
			return
		}
	}
}

// end ends the lead. It reports false if somebody has come to follow in the meantime and the caller leads again.
// Whoever enters looks whether somebody leads afterwards, so one of the two sees the other.
func (f *followers) end() bool {
	f.led.Store(false)
	return f.count.Load() == 0 || !f.led.CompareAndSwap(false, true)
}

// follow waits for the leader's order.
func (s *Spinners) follow(w *waiter) order {
	w.longWait()
	if !s.followers.enter(w, sinceStart()) {
		return goToSleep
	}
	if s.followers.led.CompareAndSwap(false, true) { // the leader has just ended
		s.followers.each(func(at int, other *waiter) bool {
			if other == w {
				s.followers.dismiss(at, w, lead)
			}
			return other != w
		})
		<-w.orders // which the last leader may have given, too
		return lead
	}
	return <-w.orders
}
