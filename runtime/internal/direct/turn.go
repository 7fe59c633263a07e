package direct

import (
	"sync"
	"sync/atomic"
)

// turn is a mutex whose holder can tell one that waits for it that there is no need to any more.
type turn struct {
	sync.Mutex
	waiter atomic.Pointer[chan struct{}]
}

func (t *turn) Unlock() {
	t.Mutex.Unlock()
	t.look()
}

// look makes who waits in LockUnless look again whether that is still needed.
func (t *turn) look() {
	if w := t.waiter.Load(); w != nil {
		select {
		case *w <- struct{}{}:
		default: // it has not looked yet since the last time
		}
	}
}

// LockUnless locks, unless needless comes true while somebody else has the turn, who then calls look.
// It reports whether it has locked. One goroutine at a time may call it.
func (t *turn) LockUnless(needless func() bool) bool {
	w := make(chan struct{}, 1)
	t.waiter.Store(&w)
	defer t.waiter.Store(nil)
	for !t.TryLock() {
		if needless() {
			return false
		}
		<-w
	}
	return true
}
