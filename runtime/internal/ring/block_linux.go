package ring

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A goroutine that has looked in vain waits for a while in futex(2), on the word that says that it sleeps. That wakes
// its thread and nobody else, while a doorbell is for the poller of Go, which often needs two threads to pass it on.
// It does not look at the socket in that time. Its thread may keep a processor of Go, so only some may do that, and there must be
// others.

const (
	// blocked is the bit that says so, in the word. Who rings then wakes the futex.
	blocked = 1 << 30

	futexWaits, futexWakes = 0, 1 // operations of futex(2), also between processes

	// blockFor is how long it waits so.
	blockFor = 200 * time.Microsecond
)

// block waits for a while until w is ready, and reports whether it is.
func (s *Spinners) block(w *waiter) bool {
	h := &w.history
	if h.blockSkip > 0 {
		h.blockSkip--
		return false
	}
	defer s.blocking.Add(-1)
	if s.blocking.Add(1) > s.blockers {
		return false
	}
	defer func() { h.slept = sinceStart() }()
	defer w.flag.Store(0)
	for until := sinceStart() + blockFor; ; {
		w.flag.Store(blocked)
		left := until - sinceStart() // also if the other end changes the word all the time
		if left > 0 && !w.ready() {
			futexWait(w.flag, blocked, left)
		}
		switch {
		case w.ready():
			h.blockMisses = 0
			return true
		case left <= 0:
			h.blockMisses++
			h.blockSkip = min(1<<h.blockMisses, maxSkip)
			return false
		}
	}
}

// futexWait waits until another process calls futexWake, if the word has this value.
func futexWait(word *atomic.Uint32, value uint32, most time.Duration) {
	timeout := unix.NsecToTimespec(int64(most))
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaits, uintptr(value), uintptr(unsafe.Pointer(&timeout)), 0, 0)
}

func futexWake(word *atomic.Uint32) {
	unix.Syscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakes, 1)
}
