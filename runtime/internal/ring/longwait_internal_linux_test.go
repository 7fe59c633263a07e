package ring

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slow returns a waiter that says when its wait may become long.
func slow(ready func() bool) (w *waiter, told *int) {
	told = new(int)
	return &waiter{orders: make(chan order, 1), ready: ready, longWait: func() { *told++ }}, told
}

func TestWhoSpinsDoesNotWaitForLong(t *testing.T) {
	t.Parallel()
	s, looked := newSpinners(), 0
	w, told := slow(func() bool { looked++; return looked == quickLooks })
	w.history.slept = sinceStart()
	if !s.spin(w) || *told > 0 {
		t.Errorf("it was ready after %d looks, and its wait was called long %d times", looked, *told)
	}
}

func TestWhoFollowsMayWaitForLong(t *testing.T) {
	t.Parallel()
	s := newSpinners()
	s.followers.led.Store(true)
	w, told := slow(func() bool { return true })
	w.orders <- goOn
	if s.follow(w) != goOn || *told == 0 {
		t.Error("nobody was told")
	}
}

func TestWhoLeadsForOthersMayWaitForLong(t *testing.T) {
	t.Parallel()
	s := newSpinners()
	s.followers.led.Store(true)
	yes := true
	following(t, &s.followers, &yes)
	w, told := slow(func() bool { return false })
	w.history.slept = sinceStart()
	if s.look(w, true) || *told == 0 {
		t.Error("nobody was told")
	}
}

func TestWhoSleepsMayWaitForLong(t *testing.T) {
	t.Parallel()
	m, fd, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	defer m.Close()
	told := make(chan struct{}, 1)
	var c *Conn
	c = NewConn(m, Client, Socket{Raw: noSocket{}, LongWait: func() {
		c.Interrupt(unix.ETIME)
		told <- struct{}{}
	}}, newSpinners())
	if _, err := c.Await(); err != nil {
		t.Error(err)
	}
	select {
	case <-told:
	case <-time.After(time.Minute):
		t.Error("nobody was told")
	}
}
