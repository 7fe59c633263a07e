package openfile

import (
	"os"
	"runtime"
	"slices"
	"sync"
)

// An Intake counts the files that one call has received and that nobody has taken or closed. That of a
// server keeps them too, to close them when the call ends. A nil one neither counts nor keeps. The methods
// may be called concurrently.
type Intake struct {
	quota *Quota
	keeps bool

	mu      sync.Mutex
	ended   bool      // guarded by mu
	holders []*Holder // guarded by mu; those that are kept
}

// NewServerIntake returns the intake of a call that a server handles: End closes what it has left.
func NewServerIntake(quota *Quota) *Intake { return &Intake{quota: quota, keeps: true} }

// NewClientIntake returns the intake of a call that a client makes. What it has left belongs to the
// messages, and is closed with Close, or by the garbage collector when the message was forgotten.
func NewClientIntake(quota *Quota) *Intake { return &Intake{quota: quota} }

// Arrived counts n files that came and are not in a message yet; [Receive] and Dropped say what becomes of
// each. If they are more than the quota allows none is counted, and the caller closes them.
func (i *Intake) Arrived(n int) bool { return i == nil || i.quota.take(n) }

// Dropped counts out n files that arrived and that the caller has closed.
func (i *Intake) Dropped(n int) {
	if i != nil {
		i.quota.giveBack(n)
	}
}

// Receive returns a holder of a file that arrived; it is the runtime's until someone takes it. If the call
// has ended, the file is closed.
func Receive(f *os.File, i *Intake) *Holder {
	h := &Holder{file: f, intake: i, state: received}
	if !i.enter(h) {
		h.Close()
	}
	return h
}

// enter reports whether the call still goes on.
func (i *Intake) enter(h *Holder) bool {
	if i == nil {
		return true
	}
	if !i.keeps {
		// The file itself needs nothing of the kind: package os closes one that was forgotten.
		h.forget = runtime.AddCleanup(h, func(quota *Quota) { quota.giveBack(1) }, i.quota)
		return true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return false
	}
	i.holders = append(i.holders, h)
	return true
}

// leave counts h out. Its lock is held.
func (i *Intake) leave(h *Holder) {
	if i == nil {
		return
	}
	i.quota.giveBack(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	if at := slices.Index(i.holders, h); at >= 0 {
		i.holders = slices.Delete(i.holders, at, at+1)
	}
}

// End closes the files that are kept and were not taken, and those that come later.
func (i *Intake) End() {
	if i == nil || !i.keeps {
		return
	}
	i.mu.Lock()
	left := i.holders
	i.holders, i.ended = nil, true
	i.mu.Unlock()
	for _, h := range left {
		h.Close()
	}
}
