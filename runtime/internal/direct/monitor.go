package direct

import "sync"

// monitor is a mutex whose holder can wait for others to change what it guards. Unlike a [sync.Cond]
// it can wait for something else at the same time. Nothing that may block is done while it is held.
type monitor struct {
	sync.Mutex
	changed chan struct{} // closed at the next change; nil if nobody waits
}

// broadcast wakes everyone that waits. The caller holds the mutex.
func (m *monitor) broadcast() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// change returns what is closed at the next change. The caller holds the mutex.
func (m *monitor) change() <-chan struct{} {
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return m.changed
}

// wait unlocks, waits for a change, and locks again.
func (m *monitor) wait() {
	changed := m.change()
	m.Unlock()
	<-changed
	m.Lock()
}
