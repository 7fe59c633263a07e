package ring

import (
	"bytes"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stepper moves a spinning thread to another core. The kernel likes to wake a thread on the core of the one that wakes
// it, as that one mostly sleeps soon. One that spins does not: the thread that it has woken waits for the core, and
// the spinning one for that thread. While all cores are busy, the kernel does not look for a better one.
//
// This takes sched_setaffinity(2). A filter of system calls may kill a process for it, so it is not used under one. It
// is not used either in a process that is kept off a core, because it would have to put back what it found, and could
// so undo what somebody else has changed in between.
type stepper struct {
	allowed bool
	cores   int          // that the process may use
	last    atomic.Int64 // when, since start
}

const (
	// stepPause is how often a thread moves at most.
	stepPause = 2 * time.Millisecond

	// stepAtMost is how long a thread is bound to the other cores. They can be so busy that it would wait for hundreds
	// of milliseconds, while the kernel may not move it to one that is free.
	stepAtMost = time.Millisecond
)

// noCore says that it is not known on which core the other end sleeps.
const noCore = 1<<31 - 1

func (s *stepper) init() {
	status, err := os.ReadFile("/proc/thread-self/status")
	s.cores = everyCore()
	s.allowed = err == nil && bytes.Contains(status, []byte("\nSeccomp:\t0\n")) && s.cores > 0
}

// everyCore returns how many cores the process may use, if these are all of the machine, and 0 otherwise.
func everyCore() int {
	var allowed unix.CPUSet
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil || unix.SchedGetaffinity(0, &allowed) != nil || allowed.Count() != countList(string(bytes.TrimSpace(online))) {
		return 0
	}
	return allowed.Count()
}

// core returns the core that the calling thread runs on now.
func (s *stepper) core() int32 {
	if !s.allowed {
		return noCore
	}
	var core uint32
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&core)), 0, 0); errno != 0 {
		return noCore
	}
	return int32(core)
}

// together reports whether the other end, which was woken for this wait, has slept on the core that the calling
// thread runs on.
func (s *Spinners) together(w *waiter) bool {
	woken := w.woken.Load()
	return woken != noCore && s.aside.core() == woken
}

// stepAside moves the thread to another core than that of the other end. It reports whether it did.
func (s *Spinners) stepAside(w *waiter) bool {
	woken := w.woken.Swap(noCore)
	now, last := sinceStart(), s.aside.last.Load()
	if now-time.Duration(last) < stepPause || !s.aside.last.CompareAndSwap(last, int64(now)) {
		return false
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var every, others unix.CPUSet
	every.Fill()
	if unix.SchedGetaffinity(0, &others) != nil || others.Count() != s.aside.cores {
		return false // somebody keeps it off a core now
	}
	others.Clear(int(woken))
	if others.Count() == 0 {
		return false
	}
	thread := unix.Gettid()
	freed := make(chan struct{})
	free := time.AfterFunc(stepAtMost, func() {
		setAffinity(thread, &every)
		close(freed)
	})
	moved := setAffinity(thread, &others)
	if free.Stop() {
		setAffinity(thread, &every)
	} else {
		<-freed // before the thread can do something else
	}
	return moved
}

// setAffinity says on which cores a thread may run. Unlike with [unix.SchedSetaffinity], all of Go does not wait for a
// thread that waits for a core.
func setAffinity(thread int, cores *unix.CPUSet) bool {
	_, _, errno := unix.Syscall(unix.SYS_SCHED_SETAFFINITY, uintptr(thread), unsafe.Sizeof(*cores), uintptr(unsafe.Pointer(cores)))
	return errno == 0
}
