package ring

import (
	"testing"
	"time"
)

// following returns a waiter that follows, and is ready when ready is set.
func following(t *testing.T, f *followers, ready *bool) *waiter {
	t.Helper()
	w := &waiter{orders: make(chan order, 1), ready: func() bool { return *ready }, number: f.next.Add(1)}
	if !f.enter(w, 0) {
		t.Fatal("there is no place")
	}
	return w
}

// got returns the order that a waiter has got, or -1.
func got(w *waiter) order {
	select {
	case o := <-w.orders:
		return o
	default:
		return -1
	}
}

func TestWhoLeadsRousesThoseThatAreReady(t *testing.T) {
	t.Parallel()
	var f followers
	f.led.Store(true)
	var yes, no bool
	first, second := following(t, &f, &yes), following(t, &f, &no)
	if f.rouse(0) {
		t.Error("roused somebody who is not ready")
	}
	yes = true
	if !f.rouse(0) || got(first) != goOn {
		t.Error("did not rouse who is ready")
	}
	if f.rouse(followAtMost+time.Nanosecond) || got(second) != goToSleep || f.count.Load() != 0 {
		t.Error("somebody follows for longer than it may, and does not see the end of its socket")
	}
}

func TestTheLeadIsPassedOnOrEnds(t *testing.T) {
	t.Parallel()
	var f followers
	f.led.Store(true)
	var no bool
	late := following(t, &f, &no)
	if f.end() {
		t.Error("the lead ended, and somebody follows")
	}
	f.passOn()
	if got(late) != lead || !f.led.Load() {
		t.Error("nobody leads")
	}
	last := following(t, &f, &no)
	f.disband()
	if got(last) != goToSleep || f.led.Load() {
		t.Error("was not disbanded")
	}
}

func TestThoseForWhomThereIsNoPlaceSleep(t *testing.T) {
	t.Parallel()
	var f followers
	var no bool
	for range places {
		following(t, &f, &no)
	}
	if f.enter(&waiter{}, 0) {
		t.Error("there was a place for one more")
	}
}
