package ring

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Where several goroutines wait in turn, several threads of this process and of the other end's have something to do.
// A thread that spins then keeps others waiting: the kernel takes its core away only at the end of its time slice,
// which is some milliseconds. So it yields its core every now and then. A goroutine that waits alone does not: its
// process has no other thread to run, and it sleeps often enough for the rest of the system.

const (
	// yieldCoreEvery is how often one thread of the process yields its core.
	yieldCoreEvery = 100 * time.Microsecond

	// yieldInCrowd is the same while many goroutines wait: there is nothing to do but what the other end sends.
	yieldInCrowd = 500 * time.Nanosecond

	// dearYield is what a yield takes at least if it is other programs that keep the cores busy: a good part of a time
	// slice. The time until the next is then at least yieldCostShare times that.
	dearYield      = 300 * time.Microsecond
	yieldCostShare = 4
)

// coreYields decides when to yield the core. Several threads may use it at a time. What one of them sets may
// then get lost, which makes a yield come a little early or late.
type coreYields struct {
	last   atomic.Pointer[waiter] // who waited last
	shared atomic.Int64           // when it was another than before
	next   atomic.Int64           // when to yield next, at the earliest
	cost   atomic.Int64           // how long a yield takes, on average
}

// waits notes that w waits now.
func (y *coreYields) waits(w *waiter) {
	if y.last.Load() != w {
		y.last.Store(w)
		y.shared.Store(int64(sinceStart()))
	}
}

// due reports whether it is time to yield.
func (y *coreYields) due(now time.Duration) bool {
	return now > time.Duration(y.next.Load()) && now-time.Duration(y.shared.Load()) < quantum
}

// took notes that a yield has ended now, and how long it took.
func (y *coreYields) took(took, now time.Duration, crowd bool) {
	cost := time.Duration(y.cost.Load())
	cost += (took - cost) / 8
	y.cost.Store(int64(cost))
	pause := max(yieldCoreEvery, yieldCostShare*cost)
	if crowd && cost < dearYield {
		pause = yieldInCrowd
	}
	y.next.Store(int64(now + pause))
}

// yieldCore lets another thread have the core if it is time for that. It returns the time.
func (y *coreYields) yieldCore(now time.Duration, crowd bool) time.Duration {
	if !y.due(now) {
		return now
	}
	unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // not RawSyscall: another thread may go on for this one if it takes long
	after := sinceStart()
	y.took(after-now, after, crowd)
	return after
}
