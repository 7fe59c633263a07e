package direct

import (
	"sync"
	"sync/atomic"
)

// turn is a mutex whose holder can tell those that wait for it that there is no need to any more.
type turn struct {
	sync.Mutex
	change atomic.Pointer[chan struct{}] // closed when there is reason to look; nil if nobody waits
}

func (t *turn) Unlock() {
	t.Mutex.Unlock()
	t.look()
}

// look makes those that wait in LockUnless look again whether that is still needed.
func (t *turn) look() {
	if t.change.Load() == nil {
		return
	}
	if c := t.change.Swap(nil); c != nil {
		close(*c)
	}
}

// LockUnless locks, unless needless comes true while somebody else has the turn, who then calls look.
// It reports whether it has locked.
func (t *turn) LockUnless(needless func() bool) bool {
	for {
		change := t.nextChange() // before the look, so that none is missed
		if t.TryLock() {
			return true
		}
		if needless() {
			return false
		}
		<-change
	}
}

func (t *turn) nextChange() <-chan struct{} {
	for {
		if c := t.change.Load(); c != nil {
			return *c
		}
		c := make(chan struct{})
		if t.change.CompareAndSwap(nil, &c) {
			return c
		}
	}
}
