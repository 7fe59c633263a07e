package direct

import "sync"

// monitor is a mutex whose holder can wait until others change what it guards. Unlike with a [sync.Cond]
// it can wait for something else at the same time. Its holder does nothing that may block.
type monitor struct {
	sync.Mutex
	changed chan struct{} // closed at the next change; nil if nobody waits
}

// broadcast wakes all that wait. The caller holds the mutex.
func (m *monitor) broadcast() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// change returns a channel that is closed at the next change. The caller holds the mutex.
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
